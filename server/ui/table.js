/**
 * Tables. On a narrow screen each row becomes a stack of values (style.css), for which every cell
 * carries its column's name.
 */
import { h } from './dom.js';
import { commonPrefix } from './format.js';
import { key } from './words.js';

/**
 * columns: [name, cell(row), kind], kind is "number", "wide" or none; id(row) keeps rows apart.
 * With `select` ({chosen, toggle}) rows can be chosen. j, k and Enter go to the first link of a row.
 */
export function table(caption, columns, rows, id, select = null) {
  const classes = (kind, tag) => (kind ? `${tag}.${kind}` : tag);
  return h('table', { 'data-rows': true },
    caption && h('caption', caption),
    h('thead', h('tr', select && h('th.choose', h('span.unseen', 'Chosen')),
      columns.map(([name, , kind]) => h(classes(kind, 'th'), { scope: 'col' }, name)))),
    h('tbody', rows.map((row) => h('tr', { key: id(row) },
      select && h('td.choose', chooser(select, id(row))),
      columns.map(([name, cell, kind]) => h(classes(kind, 'td'), { 'data-name': name }, h('div', cell(row))))))));
}

function chooser({ chosen, toggle }, id) {
  return h('input', { type: 'checkbox', checked: chosen.has(id), 'aria-label': `choose event ${id}`,
    onchange: () => toggle(id) });
}

/** A function that shows keys with what they have in common held back. */
export function keysOf(keys) {
  const common = commonPrefix(keys).length;
  return (text) => key(text, common);
}

/** "First page" and "Next page", if there are such. */
export function pager(next, first) {
  return (next || first) && h('p.links', first && h('a', { href: first }, 'First page'),
    next && h('a', { href: next }, 'Next page'));
}
