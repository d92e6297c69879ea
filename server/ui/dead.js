/** Dead letters, by reason: requeue or discard the chosen ones, or all that match. */
import { discard, requeue } from './actions.js';
import { address, button, code, count, eventLink, excerpt, h, listView, moment, muted, plural, sessionLink, state } from './kit.js';

const REASONS = 8;

export const dead = listView({
  name: 'dead', title: 'Dead letters', path: '/v1/dead-letters', limit: 200,
  rows: (data) => data.events,
  id: ({ event }) => event.id,
  sessionKey: ({ event }) => event.sessionKey,
  fields: [['queueKey', 'Session key'], ['reason', 'Reason begins with']],
  caption: (data) => (data.nextCursor ? 'The newest first' : plural(data.events.length, 'dead letter')),
  above: (data, query, page) => [reasons(data, query), page.can('admin') && actions(data, query, page)],
  select: (page) => (page.can('admin') ? { chosen: chosenOn(page), toggle: (id) => toggle(page, id) } : null),
  columns: (shown) => [
    ['Event', ({ event }) => eventLink(event.id), 'number'],
    ['Since', ({ outcome }) => moment(outcome.ts)],
    ['How', ({ outcome }) => state(outcome.what)],
    ['Reason', ({ outcome }) => (outcome.detail ? h('span.reason', outcome.detail) : muted('–'))],
    ['Session', ({ event }) => sessionLink(event.sessionKey, shown(event.sessionKey)), 'wide'],
    ['Tries', ({ event }) => count(event.attempts), 'number'],
    ['Text', ({ event }) => excerpt(event.text), 'wide'],
  ],
  none: ['There are no dead letters.', 'An event becomes one when its delivery fails too often (', code('--max-attempts'),
    '), or when it gives way to newer ones.'],
});

const chosenOn = (page) => page.memory.chosen ??= new Set();

function toggle(page, id) {
  const chosen = chosenOn(page);
  if (!chosen.delete(id)) chosen.add(id);
  page.draw();
}

/** What they died of, the most frequent first, each a filter. */
function reasons({ events }, query) {
  const counts = new Map();
  for (const { outcome } of events) counts.set(outcome.detail ?? '', (counts.get(outcome.detail ?? '') ?? 0) + 1);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  if (query.reason && sorted.length === 1) return null;
  return h('ul.reasons', { 'aria-label': 'by reason' }, sorted.slice(0, REASONS).map(([reason, n]) => h('li', { key: reason },
    h('b', count(n)), ' ', reason === '' ? muted('without a reason') :
      h('a', { href: address('dead', null, { ...query, cursor: '', reason }) }, reason))),
  sorted.length > REASONS && h('li', muted(`and ${plural(sorted.length - REASONS, 'other reason')}`)));
}

function actions({ events, nextCursor }, query, page) {
  const ids = events.map(({ event }) => event.id).filter((id) => chosenOn(page).has(id)).reverse();
  const { queueKey, reason } = query;
  const matching = { all: queueKey ? undefined : true, queueKey: queueKey || undefined, reason: reason || undefined };
  const every = `all${nextCursor || query.cursor ? '' : ` ${count(events.length)}`}${queueKey || reason ? ' that match' : ''}`;
  const none = { disabled: ids.length === 0 };
  return h('p.actions',
    button(`Requeue ${count(ids.length)} chosen …`, () => requeue(page, { ids }), none),
    button(`Discard ${count(ids.length)} chosen …`, () => discard(page, { ids }), none),
    button(`Requeue ${every} …`, () => requeue(page, matching)),
    button(`Discard ${every} …`, () => discard(page, matching)));
}
