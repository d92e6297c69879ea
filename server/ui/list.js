/** Views that are one list: what is looked for above it, its rows, the way to the next page. */
import { h } from './dom.js';
import { filterForm } from './filters.js';
import { address } from './router.js';
import { empty } from './states.js';
import { keysOf, pager, table } from './table.js';

/**
 * list: {name, title, path, limit, rows(data), fields, caption(data), columns(shown, data), id(row),
 * sessionKey(row), none: why it is empty and what next} and optional: more(data, get) to ask
 * further, above(data, query, page), select(page), change. `shown` shows a session key.
 */
export function listView(list) {
  return {
    title: () => list.title,
    change: list.change,

    async load({ query }, get) {
      const data = await get(list.path, { ...query, limit: list.limit });
      await list.more?.(data, get);
      return data;
    },

    draw(data, { query }, page) {
      const rows = list.rows(data);
      const link = (cursor) => address(list.name, null, { ...query, cursor });
      return [
        h('h1', list.title),
        filterForm(list.name, query, list.fields),
        rows.length === 0 ? nothing(list, query) : [
          list.above?.(data, query, page),
          table(list.caption(data), list.columns(keysOf(rows.map(list.sessionKey)), data), rows, list.id, list.select?.(page))],
        pager(data.nextCursor && link(data.nextCursor), query.cursor && link('')),
      ];
    },
  };
}

function nothing({ name, none }, query) {
  const narrowed = Object.entries(query).some(([field, value]) => field !== 'sort' && value !== '');
  return narrowed ? empty('Nothing is like that.', h('a', { href: address(name) }, 'Show all')) : empty(...none);
}
