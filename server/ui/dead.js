/** Dead letters, by reason: requeue or discard the chosen ones, or all that match. */
import { discard, requeue } from './actions.js';
import { EVENT, SESSION, TEXT, TRIES, address, button, code, count, h, listView, moment, muted,
  plural, state } from './kit.js';

const REASONS = 8;

export const dead = listView({
  name: 'dead', title: 'Dead letters', path: 'dead-letters', member: 'events',
  id: (one) => one.id,
  fields: [['queueKey', 'Session key'], ['reason', 'Reason begins with']],
  caption: ({ nextCursor, rows }) =>
    (nextCursor ? 'The newest first' : plural(rows.length, 'dead letter')),
  above: (data, query, page) =>
    [reasons(data, query), page.can('admin') && actions(data, query, page)],
  select: (page) => page.can('admin') &&
    { chosen: chosenOn(page), toggle: (id) => toggle(page, id) },
  columns: [
    EVENT,
    ['Since', ({ outcome }) => moment(outcome.ts)],
    ['How', ({ outcome }) => state(outcome.what)],
    ['Reason', ({ outcome }) => (outcome.detail ? h('span.reason', outcome.detail) : muted('–'))],
    SESSION, TRIES, TEXT,
  ],
  none: () => ['There are no dead letters.', 'An event becomes one when it fails too often (',
    code('--max-attempts'), ') or gives way to newer ones.'],
});

const chosenOn = (page) => page.memory.chosen ??= new Set();

function toggle(page, id) {
  const chosen = chosenOn(page);
  if (!chosen.delete(id)) chosen.add(id);
  page.draw();
}

/** What they died of, the most frequent first, each a filter. */
function reasons({ rows }, query) {
  const counts = new Map();
  for (const { outcome: { detail: why = '' } } of rows) counts.set(why, (counts.get(why) ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const link = (reason) => address('dead', null, { ...query, cursor: '', reason });
  return !(query.reason && sorted.length === 1) && h('ul.reasons',
    sorted.slice(0, REASONS).map(([reason, n]) => h('li', { key: reason }, h('b', count(n)), ' ',
      reason === '' ? muted('without a reason') : h('a', { href: link(reason) }, reason))),
    sorted.length > REASONS && h('li', '…'));
}

function actions({ rows, nextCursor }, { queueKey, reason, cursor }, page) {
  const ids = rows.map(({ id }) => id).filter((id) => chosenOn(page).has(id)).reverse();
  const matching = { ...(queueKey ? { queueKey } : { all: true }), reason: reason || undefined };
  const every = ['all', !nextCursor && !cursor && count(rows.length),
    (queueKey || reason) && 'that match'].filter(Boolean).join(' ');
  const both = (words, which, more) => [['Requeue', requeue], ['Discard', discard]]
    .map(([verb, act]) => button(`${verb} ${words} …`, () => act(page, which), more));
  const none = { disabled: ids.length === 0 };
  return h('p.actions', both(`${count(ids.length)} chosen`, { ids }, none), both(every, matching));
}
