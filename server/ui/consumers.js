/** Who has asked for events lately, under which key, and where that led. */
import { code, h, key, listView, moment, muted, rule, sessionLink, who } from './kit.js';

/** Columns that say who asked; `id` is the queue that they are shown with, if any. */
export const asked = (id) => [
  ['Asked for as', (one) => [one.askedKey === (id ?? one.queueKey) ?
    muted(id ? 'this key' : 'its own key') : key(one.askedKey),
  id && one.queueKey !== id && [' leads to ', sessionLink(one.queueKey)]], 'wide'],
  ['Rule', (one) => rule(one.rule)],
  ['Who', (one) => [who(one.consumer), ' ', muted(one.kind)], 'wide'],
  ['Got', 'taken', 'number'],
  ['Last', ({ waitingNow, lastTs }) => (waitingNow > 0 ? h('b', 'waits now') : moment(lastTs))],
];

export const askerId = ({ askedKey, kind, consumer, queueKey, rule: by }) =>
  JSON.stringify([askedKey, kind, consumer, queueKey, by]);

export const consumers = listView({
  name: 'consumers', title: 'Consumers',
  id: askerId,
  fields: [['queueKey', 'Session key'], ['askedKey', 'Asked for as']],
  caption: () => 'The last who asked',
  columns: [['Session', (one) => one.queueKey, 'session'], ...asked()],
  none: () => ['Nobody has asked since the server started.',
    code('sevq run agent:main:main -- ./heartbeat.sh'), ' would.'],
});
