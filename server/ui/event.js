/** One event: how it was routed, what it says, and what has happened to it. */
import { discard, requeue, withdraw } from './actions.js';
import { copier, curl } from './copy.js';
import { pretty } from './json.js';
import { address, button, byteLength, bytes, count, details, firstBytes, h, key, moment, muted,
  now, pager, rule, ruleMeans, sessionLink, state, table, until, way } from './kit.js';

const FIRST_BYTES = 300;
const PENDING = ['queued', 'delayed', 'leased'];
const DEAD = ['dead', 'evicted'];

const path = (id) => `/v1/events/${encodeURIComponent(id)}`;

export const event = {
  title: ({ id }) => `Event ${id}`,

  load: ({ id, query }, get) => get(path(id), { cursor: query.cursor }),

  change: (data, change) => change.queueKey === data.event.sessionKey,

  draw({ event: one, timeline, nextCursor }, { id, query }, page) {
    const may = (scope, states) => states.includes(one.state) && page.can(scope);
    return [
      h('h1', 'Event ', key(one.id), ' ', state(one.state)),
      posted(one),
      h('h2', 'Text'),
      text(one.text, page),
      h('p.actions', copier('Copy text', () => one.text),
        copier('Copy as curl', () => curl(path(one.id))),
        may('produce', PENDING) && button('Withdraw …', () => withdraw(page, one)),
        may('admin', DEAD) && [button('Requeue …', () => requeue(page, { ids: [one.id] })),
          button('Discard …', () => discard(page, { ids: [one.id] }))]),
      h('h2', 'What happened'),
      table('', STORY, timeline.map((row, index) => ({ ...row, index })), (row) => row.index),
      pager(nextCursor && address('event', id, { cursor: nextCursor }),
        query.cursor && address('event', id)),
      h('h2', 'Details'),
      details(detailsOf(one)),
    ];
  },
};

function posted({ sessionKey, originalSessionKey: original, rule: by }) {
  const means = ruleMeans(by);
  return h('p.way', original !== sessionKey ? way(original, by, sessionKey) :
    ['Posted to ', sessionLink(sessionKey), muted(' and queued there'), ' (', rule(by), ')'],
  means && muted(`: ${means}.`));
}

const pre = (label, ...words) =>
  h('pre.text', { tabindex: 0, role: 'group', 'aria-label': label }, ...words);

function text(whole, page) {
  const { memory } = page;
  const size = byteLength(whole);
  const long = size > FIRST_BYTES;
  const cut = long && !memory.all;
  const formed = pretty(whole);
  const other = () => {
    memory.all = cut;
    page.draw();
  };
  return [
    pre('text', cut ? firstBytes(whole, FIRST_BYTES) : whole, cut && muted('…')),
    long && h('p', muted(`${cut ? `The first ${FIRST_BYTES} bytes of ` : ''}${bytes(size)}. `),
      button(cut ? 'Show all' : 'Show less', other)),
    formed && h('details', h('summary', 'As JSON'), pre('text as JSON', formed)),
  ];
}

const STORY = [
  ['When', (one) => moment(one.ts)],
  ['What', (one) => [state(one.what), one.times > 1 && ` ${count(one.times)} times`]],
  ['How', how, 'wide'],
];

const SAID = { leased: 'given to', lapsed: 'not acked in time',
  evicted: 'gave way to newer ones', replaced: 'gave way to a newer one' };

function how({ what, originalSessionKey, from, to, rule: by, detail, leaseId, until: end }) {
  if (what === 'queued') return ['from ', key(originalSessionKey), ' by ', rule(by)];
  if (what === 'moved') return way(from, by, to);
  return [muted(SAID[what]), detail && [' ', key(detail)], leaseId && muted(` (lease ${leaseId})`),
    end > now() && [', ends in ', until(end)]];
}

const detailsOf = (one) => [
  ['Can be taken from', one.availableAt > one.ts && moment(one.availableAt)],
  ['Expires', one.expiresAt && moment(one.expiresAt)],
  ['Failed deliveries', count(one.attempts)],
  ['Wake', one.wake],
  ...[['Context key', one.contextKey], ['Source', one.source],
    ['Answer goes to', one.deliveryContext && JSON.stringify(one.deliveryContext)],
    ['Trace', one.traceparent]].map(([name, value]) => [name, value && key(value)]),
];
