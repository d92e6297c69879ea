/**
 * What an operator can do, each by a dialog whose numbers come from a dry run. A queue is named by
 * its own key, so nothing is done to the one that the key leads to.
 */
import { get, post, remove } from './api.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { count, plural } from './format.js';
import { excerpt, key } from './words.js';

const LISTED = 10;
const RATE = 10;

const nothing = (title) => ({ title, text: null, act: null });
const after = (page) => (words) => (words === null ? page.refresh() : page.say(words));
const andMore = (n, word, more) => `${plural(n, word)}${more ? ' and more' : ''}`;

/** Calls step until it has no more to do; returns the sum of what it has counted. */
async function repeat(step, counted) {
  for (let done = 0; ;) {
    const answer = await step();
    done += answer[counted];
    if (!answer.more || answer[counted] === 0) return done;
  }
}

export function purge(page, queueKey) {
  ask(async () => {
    const { sessions: [row] } = await get('/v1/sessions', { queueKey });
    return row === undefined ? nothing('This queue is empty already') : {
      verb: 'Purge', number: row.depth, title: `Purge ${plural(row.depth, 'event')}?`,
      text: [h('p', 'Deletes every event of ', key(queueKey), ', leased and delayed ones too.'),
        row.leased > 0 && h('p', `Somebody works on ${plural(row.leased, 'event')} of them at this moment.`)],
      lost: 'This cannot be undone: they are delivered to nobody. The history keeps their texts.',
      act: async () => `Purged ${plural((await remove('/v1/events', { queueKey })).purged, 'event')} of ${queueKey}.`,
    };
  }, after(page));
}

/** Of one queue, or of all. */
export function moveStranded(page, queueKey) {
  const which = queueKey === undefined ? { confirm: true } : { queueKey };
  ask(async () => {
    const { moved, leased, more, sessions } = await post('/v1/rekey', { queueKey, dryRun: true });
    return moved === 0 ? nothing('There is nothing to move') : {
      verb: 'Move', number: moved, title: `Move ${andMore(moved, 'event', more)}?`,
      text: [h('p', 'They go to where their key leads now, and keep their ids, order and delays.'),
        h('ul', sessions.slice(0, LISTED).map((one) => h('li', h('b', count(one.moved)), ' from ', key(one.from), ' to ',
          one.to === null ? 'nowhere: the key is refused' : key(one.to))),
        sessions.length > LISTED && h('li', `and ${plural(sessions.length - LISTED, 'queue')} more`)),
        leased > 0 && h('p', `${plural(leased, 'leased event')} stay with whoever holds them.`)],
      lost: 'They do not come back by themselves, even if the policy is put back.',
      act: async () => `Moved ${plural(await repeat(() => post('/v1/rekey', which), 'moved'), 'event')}.`,
    };
  }, after(page));
}

/** which: {ids}, {queueKey} or {all: true}, the last two also with a `reason` that theirs begin with. */
export function requeue(page, which) {
  ask(async () => {
    const dry = await post('/v1/dead-letters/requeue', { ...which, dryRun: true });
    const body = { ...which, confirm: true };
    return dry.requeued === 0 ? nothing('There is nothing to requeue') : {
      verb: 'Requeue', number: dry.requeued, title: `Requeue ${andMore(dry.requeued, 'dead letter', dry.more)}?`,
      text: h('p', named(which), ' will be queued again, each where its key leads now, and tried as if new.'),
      lost: 'They may be delivered a second time: whoever took them may have done part of the work.',
      fields: which.ids ? null : h('label', 'Events a second', h('input', { name: 'ratePerSecond', type: 'number', min: 1, max: 1000, value: RATE })),
      act: async ({ ratePerSecond }) => {
        if (ratePerSecond) body.ratePerSecond = Number(ratePerSecond);
        return `Requeued ${plural(await repeat(() => post('/v1/dead-letters/requeue', body), 'requeued'), 'dead letter')}.`;
      },
    };
  }, after(page));
}

export function discard(page, which) {
  const path = '/v1/dead-letters';
  ask(async () => {
    const dry = await remove(path, {}, { ...which, dryRun: true });
    return dry.discarded === 0 ? nothing('There is nothing to discard') : {
      verb: 'Discard', number: dry.discarded, title: `Discard ${andMore(dry.discarded, 'dead letter', dry.more)}?`,
      text: h('p', named(which), ' will no longer be kept as dead letters.'),
      lost: 'This cannot be undone: they can never be requeued. The history keeps their texts.',
      act: async () => `Discarded ${plural(await repeat(() => remove(path, {}, { ...which, confirm: true }), 'discarded'), 'dead letter')}.`,
    };
  }, after(page));
}

function named({ ids, queueKey, reason }) {
  if (ids) return ids.length === 1 ? ['Event ', key(ids[0])] : `The ${count(ids.length)} chosen ones`;
  return ['All dead letters', queueKey && [' of ', key(queueKey)], reason && [' whose reason begins with ', key(reason)]];
}

export function withdraw(page, { id, sessionKey, text, state }) {
  ask(() => ({
    verb: 'Withdraw', number: 1, title: `Withdraw event ${id}?`,
    text: [h('p', 'It leaves ', key(sessionKey), ' and is delivered to nobody:'), h('p', excerpt(text)),
      state === 'leased' && h('p', 'Somebody works on it at this moment.')],
    lost: 'This cannot be undone. The history keeps its text.',
    act: () => remove(`/v1/events/${id}`).then(() => `Withdrew event ${id}.`),
  }), after(page));
}
