/** One event: how it was routed, what it says, and what has happened to it. */
import { discard, requeue, withdraw } from './actions.js';
import { copier, curl } from './copy.js';
import { byteLength, firstBytes } from './format.js';
import { pretty } from './json.js';
import { address, bytes, button, count, h, key, moment, muted, now, pager, rule, sessionLink, state, table, until } from './kit.js';
import { ruleMeans } from './words.js';

const FIRST_BYTES = 300;
const PENDING = ['queued', 'delayed', 'leased'];
const DEAD = ['dead', 'evicted'];

export const event = {
  title: ({ id }) => `Event ${id}`,

  load({ id, query }, get) {
    return get(`/v1/events/${encodeURIComponent(id)}`, { cursor: query.cursor });
  },

  change(data, change) {
    return change.queueKey === data.event.sessionKey;
  },

  draw({ event: one, timeline, nextCursor }, { id, query }, page) {
    return [
      h('h1', 'Event ', h('span.key', one.id), ' ', state(one.state)),
      way(one),
      h('h2', 'Text'),
      text(one, page),
      h('p.actions', copier('Copy text', () => one.text), copier('Copy as curl', () => curl(`/v1/events/${one.id}`)),
        PENDING.includes(one.state) && page.can('produce') && button('Withdraw …', () => withdraw(page, one)),
        DEAD.includes(one.state) && page.can('admin') && [button('Requeue …', () => requeue(page, { ids: [one.id] })),
          button('Discard …', () => discard(page, { ids: [one.id] }))]),
      h('h2', 'What happened'),
      story(timeline),
      pager(nextCursor && address('event', id, { cursor: nextCursor }), query.cursor && address('event', id)),
      h('h2', 'Details'),
      details(one),
    ];
  },
};

/** original key --rule--> queue */
function way(one) {
  const means = ruleMeans(one.rule);
  const same = one.originalSessionKey === one.sessionKey;
  return h('p.way', same ? ['Posted to ', sessionLink(one.sessionKey), muted(' and queued there'), ' (', rule(one.rule), ')'] :
    [key(one.originalSessionKey), ' ', h('span.arrow', '— ', rule(one.rule), ' →'), ' ', sessionLink(one.sessionKey)],
  means && h('span.muted', `: ${means}.`));
}

function text(one, page) {
  const { memory } = page;
  const size = byteLength(one.text);
  const cut = size > FIRST_BYTES && !memory.all;
  const formed = pretty(one.text);
  return [
    h('pre.text', { tabindex: 0, role: 'group', 'aria-label': 'text' }, cut ? firstBytes(one.text, FIRST_BYTES) : one.text, cut && h('span.muted', '…')),
    size > FIRST_BYTES && h('p', muted(cut ? `The first ${FIRST_BYTES} bytes of ${bytes(size)}. ` : `${bytes(size)}. `),
      button(cut ? 'Show all' : 'Show less', () => { memory.all = cut; page.draw(); })),
    formed !== null && h('details', h('summary', 'As JSON'), h('pre.text', { tabindex: 0, role: 'group', 'aria-label': 'text as JSON' }, formed)),
  ];
}

const SAID = { leased: 'given to', lapsed: 'the lease ended without an ack', returned: 'given back', nacked: 'failed',
  acked: 'done', drained: 'taken for good', consumed: 'taken for good', dead: 'given up', evicted: 'gave way to newer ones',
  expired: 'its time to live was over', replaced: 'a newer one took its place', purged: 'purged', withdrawn: 'withdrawn',
  moved: 'to the queue that its key leads to', requeued: 'queued again', extended: 'the lease goes on' };

function story(timeline) {
  return table('', [
    ['When', (one) => moment(one.ts)],
    ['What', (one) => [state(one.what), one.times > 1 && ` ${count(one.times)} times`]],
    ['How', (one) => how(one), 'wide'],
  ], timeline.map((one, index) => ({ ...one, index })), (one) => one.index);
}

function how(one) {
  if (one.what === 'queued') return ['from ', key(one.originalSessionKey), ' by ', rule(one.rule)];
  if (one.what === 'moved') return ['from ', sessionLink(one.from), ' to ', sessionLink(one.to), ' by ', rule(one.rule)];
  return [muted(SAID[one.what] ?? ''), one.detail && [' ', h('span.key', one.detail)], one.leaseId && muted(` (lease ${one.leaseId})`),
    one.until && one.until > now() && [', ends in ', until(one.until)]];
}

function details(one) {
  const context = one.deliveryContext ? JSON.stringify(one.deliveryContext) : null;
  const rows = [['Posted', moment(one.ts)], ['Can be taken from', one.availableAt > one.ts && moment(one.availableAt)],
    ['Expires', one.expiresAt && moment(one.expiresAt)], ['Failed deliveries', count(one.attempts)],
    ['Wake', one.wake], ['Context key', one.contextKey && h('span.key', one.contextKey)],
    ['Source', one.source && h('span.key', one.source)], ['Answer goes to', context && h('span.key', context)],
    ['Trace', one.traceparent && h('span.key', one.traceparent)]];
  return h('dl.details', rows.filter(([, value]) => value).map(([name, value]) => [h('dt', name), h('dd', value)]));
}
