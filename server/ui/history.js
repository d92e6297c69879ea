/** Events that left their queue: when, how, and where they were. */
import { EVENT, SESSION, TEXT, address, code, h, key, listView, moment, muted,
  state } from './kit.js';

const HOW = ['–', 'acked', 'drained', 'consumed', 'withdrawn', 'purged', 'replaced', 'evicted',
  'expired', 'dead', 'discarded', 'moved'];

export const history = listView({
  name: 'history', title: 'History', member: 'events',
  id: ({ id, outcome }) => `${id} ${outcome.what} ${outcome.ts}`,
  fields: [['queueKey', 'Session key'], ['state', 'How', HOW], ['reason', 'Reason begins with'],
    ['source', 'Source']],
  caption: () => 'Events that left their queue, newest first',
  columns: [
    ['When', ({ outcome }) => moment(outcome.ts)],
    ['How', ({ outcome }) => state(outcome.what)],
    EVENT, SESSION,
    ['Why, by whom', because],
    TEXT,
  ],
  none: () => ['No event has left its queue yet.', 'What is pending is under ',
    h('a', { href: address('sessions') }, 'Sessions'), '. ', code('--retention-ms'),
    ' says how long it is kept.'],
});

function because({ outcome: { what, from, to, detail, leaseId } }) {
  if (what === 'moved') return ['from ', key(from), ' to ', key(to)];
  return detail ? h('span.reason', detail) : muted(leaseId ? `lease ${leaseId}` : '–');
}
