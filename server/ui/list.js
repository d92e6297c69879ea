/** Views that are one list: what is looked for above it, its rows, the way to the next page. */
import { h } from './dom.js';
import { filterForm } from './filters.js';
import { address } from './router.js';
import { empty } from './states.js';
import { pager, table } from './table.js';

const LIMIT = 100;

/**
 * list: {name, title, fields, caption(data), columns, id(row), none(): why it is empty, what next}
 * and optional: path, if the call has another name, and member, if the rows in its answer have;
 * more(data, get) to ask further, above(data, query, page), select(page), change. An event and its
 * outcome make one row, data.rows has them all.
 */
export function listView({ name, title, path = name, member = name, fields, none, ...list }) {
  return {
    title,
    change: list.change,

    async load({ query }, get) {
      const data = await get(`/v1/${path}`, { ...query, limit: LIMIT });
      data.rows = data[member].map(({ event, ...row }) => ({ ...event, ...row }));
      await list.more?.(data, get);
      return data;
    },

    draw(data, { query }, page) {
      const { rows, nextCursor } = data;
      const link = (cursor) => address(name, null, { ...query, cursor });
      const narrowed = Object.entries(query).some(([field, value]) => field !== 'sort' && value);
      return [
        h('h1', title),
        filterForm(name, query, fields),
        rows.length > 0 ? [list.above?.(data, query, page),
          table(list.caption(data), list.columns, rows, list.id, list.select?.(page))] :
          narrowed ? empty('Nothing is like that.', h('a', { href: address(name) }, 'Show all')) :
            empty(...none()),
        pager(nextCursor && link(nextCursor), query.cursor && link('')),
      ];
    },
  };
}
