/** Who has asked for events lately, under which key, and where that led. */
import { code, count, h, key, listView, moment, muted, plural, rule, sessionLink, who } from './kit.js';

const LISTED = 200;

export const consumers = listView({
  name: 'consumers', title: 'Consumers', path: '/v1/consumers', limit: LISTED,
  rows: (data) => data.consumers,
  id: askerId,
  sessionKey: (one) => one.queueKey,
  fields: [['queueKey', 'Session key'], ['askedKey', 'Asked for as']],
  caption: ({ consumers: found }) => (found.length === LISTED ? `The last ${LISTED} who asked` :
    `${plural(found.length, 'consumer')} since the server started`),
  columns: (shown) => [
    ['Session', (one) => sessionLink(one.queueKey, shown(one.queueKey)), 'wide'],
    ['Asked for as', (one) => (one.askedKey === one.queueKey ? muted('its own key') : key(one.askedKey)), 'wide'],
    ['Rule', (one) => rule(one.rule)],
    ['Who', (one) => [who(one.consumer), ' ', muted(one.kind)]],
    ['Got', (one) => (one.taken === 0 ? muted('0') : count(one.taken)), 'number'],
    ['Last', lastAsked],
  ],
  none: ['Nobody has asked for events since the server started.',
    'Whoever should take them is not running, or asks another server: ', code('sevq run agent:main:main -- ./heartbeat.sh'), ' would ask.'],
});

export function askerId({ askedKey, kind, consumer, queueKey, rule: by }) {
  return JSON.stringify([askedKey, kind, consumer, queueKey, by]);
}

export function lastAsked({ waitingNow, lastTs }) {
  return waitingNow > 0 ? h('b', 'waits now') : moment(lastTs);
}
