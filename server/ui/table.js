/**
 * Tables. On a narrow screen each row becomes a stack of values (style.css), for which every cell
 * carries its column's name.
 */
import { h } from './dom.js';
import { commonPrefix, count } from './format.js';
import { eventLink, excerpt, muted, sessionLink } from './words.js';

/** Columns that several tables have. */
export const EVENT = ['Event', (one) => eventLink(one.id)];
export const SESSION = ['Session', (one) => one.sessionKey, 'session'];
export const TEXT = ['Text', (one) => excerpt(one.text), 'wide'];
export const TRIES = ['Tries', 'attempts', 'number'];

/**
 * columns: [name, cell, kind, more], cell the name of a count or cell(row). kind: "number"; "wide";
 * "session", whose cell is a key and is shown as a link, followed by more(row); or none.
 * id(row) keeps rows apart. With `select` ({chosen, toggle}) rows can be chosen. j, k and Enter go
 * to the first link of a row.
 */
export function table(caption, columns, rows, id, select) {
  const drawn = columns.map(([name, cell, kind = 'short', more]) =>
    [name, kind, drawer(cell, kind, more, rows)]);
  return h('table', { 'data-rows': true },
    caption && h('caption', caption),
    h('thead', h('tr', select && h('td.choose'),
      drawn.map(([name, kind]) => h(`th.${kind}`, { scope: 'col' }, name)))),
    h('tbody', rows.map((row) => h('tr', { key: id(row) },
      select && h('td.choose', h('input', { type: 'checkbox', checked: select.chosen.has(id(row)),
        'aria-label': `choose event ${id(row)}`, onchange: () => select.toggle(id(row)) })),
      drawn.map(([name, kind, draw]) =>
        h(`td.${kind}`, { 'data-name': name }, h('div', draw(row))))))));
}

function drawer(cell, kind, more, rows) {
  if (kind === 'session') {
    const common = commonPrefix(rows.map(cell)).length;
    return (row) => [sessionLink(cell(row), common), more && [' ', more(row)]];
  }
  if (typeof cell === 'function') return cell;
  return (row) => (row[cell] === 0 ? muted('0') : count(row[cell]));
}

/** "First page" and "Next page", if there are such. */
export function pager(next, first) {
  return (next || first) && h('p.links', first && h('a', { href: first }, 'First page'),
    next && h('a', { href: next }, 'Next page'));
}
