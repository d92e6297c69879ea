/** Events that left their queue: when, how, and where they were. */
import { address, code, eventLink, excerpt, h, key, listView, moment, muted, sessionLink, state } from './kit.js';

const STATES = ['acked', 'drained', 'consumed', 'withdrawn', 'purged', 'replaced', 'evicted', 'expired', 'dead',
  'discarded', 'moved'];

export const history = listView({
  name: 'history', title: 'History', path: '/v1/history', limit: 100,
  rows: (data) => data.events,
  id: ({ event, outcome }) => `${event.id} ${outcome.what} ${outcome.ts}`,
  sessionKey: ({ event }) => event.sessionKey,
  fields: [['queueKey', 'Session key'],
    ['state', 'How', { '': 'any', ...Object.fromEntries(STATES.map((name) => [name, name])) }],
    ['reason', 'Reason begins with'], ['source', 'Source']],
  caption: () => 'Events that left their queue, newest first',
  columns: (shown) => [
    ['When', ({ outcome }) => moment(outcome.ts)],
    ['How', ({ outcome }) => state(outcome.what)],
    ['Event', ({ event }) => eventLink(event.id), 'number'],
    ['Session', ({ event }) => sessionLink(event.sessionKey, shown(event.sessionKey)), 'wide'],
    ['Why, by whom', because],
    ['Text', ({ event }) => excerpt(event.text), 'wide'],
  ],
  none: ['No event has left its queue yet.', 'What is pending is under ', h('a', { href: address('sessions') }, 'Sessions'),
    '. How long the history is kept, ', code('--retention-ms'), ' says.'],
});

function because({ outcome }) {
  if (outcome.what === 'moved') return ['from ', key(outcome.from), ' to ', key(outcome.to)];
  if (outcome.detail) return h('span.reason', outcome.detail);
  return muted(outcome.leaseId ? `lease ${outcome.leaseId}` : '–');
}
