/**
 * What an operator can do, each by a dialog whose numbers come from a dry run. A queue is named by
 * its own key, so nothing is done to the one that the key leads to.
 */
import { get, post, remove } from './api.js';
import { wait } from './clock.js';
import { ask } from './dialog.js';
import { h } from './dom.js';
import { count, plural } from './format.js';
import { excerpt, key } from './words.js';

const LETTERS = '/v1/dead-letters';
const LISTED = 10;
const RATE = 10;

const nothing = (title) => ({ title });
const andMore = (n, word, more) => `${plural(n, word)}${more ? ' and more' : ''}`;
const after = (page) => (words, failed) =>
  (words === null ? page.refresh() : page.say(words, failed));

/**
 * Calls step until it has no more to do, or its dialog is closed; returns the sum of what it has
 * counted. The server spreads what one call has counted over time at the rate a second, if any;
 * the next call waits until that is over. A failure tells what was done before it.
 */
async function repeat(step, counted, signal, rate = Infinity) {
  for (let done = 0; ;) {
    const answer = await step().catch((problem) => { throw Object.assign(problem, { done }); });
    done += answer[counted];
    if (!answer.more || answer[counted] === 0) return done;
    await wait(answer[counted] * 1000 / rate, signal);
    if (signal.aborted) return done;
  }
}

export function purge(page, queueKey) {
  ask(async () => {
    const { sessions: [row] } = await get('/v1/sessions', { queueKey });
    return row === undefined ? nothing('This queue is empty already') : {
      verb: 'Purge', number: row.depth, title: `Purge ${plural(row.depth, 'event')}?`,
      text: [h('p', 'Deletes every event of ', key(queueKey), ', leased and delayed ones too.'),
        row.leased > 0 &&
          h('p', `Somebody works on ${plural(row.leased, 'event')} of them at this moment.`)],
      lost: 'This cannot be undone: they are delivered to nobody. The history keeps their texts.',
      act: async () => {
        const { purged } = await remove('/v1/events', { queueKey });
        return `Purged ${plural(purged, 'event')} of ${queueKey}.`;
      },
    };
  }, after(page));
}

/** Of one queue, or of all. */
export function moveStranded(page, queueKey) {
  const which = queueKey === undefined ? { confirm: true } : { queueKey };
  ask(async () => {
    const { moved, leased, more, sessions } = await post('/v1/rekey', { queueKey, dryRun: true });
    const left = sessions.length - LISTED;
    return moved === 0 ? nothing('There is nothing to move') : {
      verb: 'Move', number: moved, title: `Move ${andMore(moved, 'event', more)}?`,
      text: [h('p', 'They go to where their key leads now, and keep their ids, order and delays.'),
        h('ul', sessions.slice(0, LISTED).map((one) => h('li', h('b', count(one.moved)), ' from ',
          key(one.from), ' to ', one.to === null ? 'nowhere: the key is refused' : key(one.to))),
        left > 0 && h('li', `and ${plural(left, 'queue')} more`)),
        leased > 0 && h('p', `${plural(leased, 'leased event')} stay with whoever holds them.`)],
      lost: 'They do not come back by themselves, even if the policy is put back.',
      act: async (_, signal) => {
        const n = await repeat(() => post('/v1/rekey', which), 'moved', signal);
        return `Moved ${plural(n, 'event')}.`;
      },
    };
  }, after(page));
}

/** which: {ids}, {queueKey} or {all: true}, the last two also with a `reason` that theirs begin with. */
export const requeue = (page, which) => end(page, which, {
  verb: 'Requeue', did: 'Requeued', call: (body) => post(`${LETTERS}/requeue`, body),
  text: ' will be queued again, each where its key leads now, and tried as if new.',
  lost: 'They may be delivered a second time: whoever took them may have done part of the work.',
  fields: which.ids ? null : h('label', 'Events a second',
    h('input', { name: 'rate', type: 'number', min: 1, max: 1000, value: RATE })),
});

export const discard = (page, which) => end(page, which, {
  verb: 'Discard', did: 'Discarded', call: (body) => remove(LETTERS, {}, body),
  text: ' will no longer be kept as dead letters.',
  lost: 'This cannot be undone: they can never be requeued. The history keeps their texts.',
});

function end(page, which, { verb, did, call, text, ...more }) {
  const counted = did.toLowerCase();
  ask(async () => {
    const dry = await call({ ...which, dryRun: true });
    const number = dry[counted];
    return number === 0 ? nothing(`There is nothing to ${verb.toLowerCase()}`) : {
      verb, number, title: `${verb} ${andMore(number, 'dead letter', dry.more)}?`,
      text: [h('p', named(which), text), dry.more && h('p', `Closing this ends it early.`)], ...more,
      act: async ({ rate }, signal) => {
        const ratePerSecond = rate ? Number(rate) : undefined;
        const body = { ...which, confirm: true, ratePerSecond };
        const n = await repeat(() => call(body), counted, signal, ratePerSecond);
        return `${did} ${plural(n, 'dead letter')}.`;
      },
    };
  }, after(page));
}

function named({ ids, queueKey, reason }) {
  if (ids) return ids.length === 1 ? ['Event ', key(ids[0])] : `The ${count(ids.length)} chosen ones`;
  return ['All dead letters', queueKey && [' of ', key(queueKey)],
    reason && [' whose reason begins with ', key(reason)]];
}

export function withdraw(page, { id, sessionKey, text, state }) {
  ask(() => ({
    verb: 'Withdraw', number: 1, title: `Withdraw event ${id}?`,
    text: [h('p', 'It leaves ', key(sessionKey), ' and is delivered to nobody:'),
      h('p', excerpt(text)), state === 'leased' && h('p', 'Somebody works on it at this moment.')],
    lost: 'This cannot be undone. The history keeps its text.',
    act: () => remove(`/v1/events/${id}`).then(() => `Withdrew event ${id}.`),
  }), after(page));
}
