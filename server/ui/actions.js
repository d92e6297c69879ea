/**
 * What an operator can do, each by a dialog whose numbers come from a dry run. A queue is named by
 * its own key, so nothing is done to the one that the key leads to.
 */
import { ask } from './dialog.js';
import { count, excerpt, get, h, key, plural, post, remove, target, wait } from './kit.js';

const LETTERS = '/v1/dead-letters';
const UNDONE = 'This cannot be undone. The history keeps the texts.';
const LISTED = 10;
const RATE = 10;

const atWork = (n) => n > 0 && h('p', `Somebody works on ${plural(n, 'event')} at this moment.`);

/** plan(): how many it would be, of which noun, whether more; and what else ask() is told. */
function offer(page, verb, plan) {
  ask(async () => {
    const { number, noun = 'event', more, ...rest } = await plan();
    return number === 0 ? { title: `There is nothing to ${verb.toLowerCase()}` } : { verb, number,
      title: `${verb} ${plural(number, noun)}${more ? ' and more' : ''}?`, ...rest };
  }, (words, failed) => (words === null ? page.refresh() : page.say(words, failed)));
}

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

export const purge = (page, queueKey) => offer(page, 'Purge', async () => {
  const { sessions: [{ depth, leased } = { depth: 0 }] } = await get('/v1/sessions', { queueKey });
  return { number: depth, lost: UNDONE,
    text: [h('p', 'All events of ', key(queueKey), ', leased and delayed ones too.'),
      atWork(leased)],
    act: async () => {
      const { purged } = await remove('/v1/events', { queueKey });
      return `Purged ${plural(purged, 'event')} of ${queueKey}.`;
    } };
});

/** Of one queue, or of all. */
export const moveStranded = (page, queueKey) => offer(page, 'Move', async () => {
  const which = queueKey === undefined ? { confirm: true } : { queueKey };
  const { moved, leased, more, sessions } = await post('/v1/rekey', { queueKey, dryRun: true });
  return { number: moved, more,
    text: [h('p', 'They go where their key leads now, and keep their ids, order and delays.'),
      h('ul', sessions.slice(0, LISTED).map((one) => h('li', h('b', count(one.moved)), ' from ',
        key(one.from), ' to ', target(one.to))), sessions.length > LISTED && h('li', '…')),
      leased > 0 && h('p', `${plural(leased, 'leased event')} stay where they are.`)],
    lost: 'This cannot be undone: they do not come back if the policy does.',
    act: async (_, signal) => {
      const n = await repeat(() => post('/v1/rekey', which), 'moved', signal);
      return `Moved ${plural(n, 'event')}.`;
    } };
});

/** which: {ids}, {queueKey} or {all: true}, the last two also with a `reason`, a beginning. */
export const requeue = (page, which) => end(page, which, {
  verb: 'Requeue', did: 'Requeued', call: (body) => post(`${LETTERS}/requeue`, body),
  text: ' will be queued again, where their key leads now, and tried as if new.',
  lost: 'They may be delivered twice: whoever took them may have done part of the work.',
  fields: which.ids ? null : h('label', 'Events a second',
    h('input', { name: 'rate', type: 'number', min: 1, max: 1000, value: RATE })),
});

export const discard = (page, which) => end(page, which, {
  verb: 'Discard', did: 'Discarded', call: (body) => remove(LETTERS, {}, body),
  text: ' can never be requeued.', lost: UNDONE,
});

const end = (page, which, { verb, did, call, text, ...rest }) => offer(page, verb, async () => {
  const counted = did.toLowerCase();
  const { [counted]: number, more } = await call({ ...which, dryRun: true });
  return { number, noun: 'dead letter', more, ...rest,
    text: [h('p', named(which), text), more && h('p', 'Closing this ends it early.')],
    act: async ({ rate }, signal) => {
      const ratePerSecond = rate ? Number(rate) : undefined;
      const body = { ...which, confirm: true, ratePerSecond };
      const n = await repeat(() => call(body), counted, signal, ratePerSecond);
      return `${did} ${plural(n, 'dead letter')}.`;
    } };
});

function named({ ids, queueKey, reason }) {
  if (ids) return ids.length === 1 ? ['Event ', key(ids[0])] : `The ${count(ids.length)} chosen`;
  return ['All dead letters', queueKey && [' of ', key(queueKey)],
    reason && [' whose reason begins with ', key(reason)]];
}

export const withdraw = (page, { id, sessionKey, text, state }) => offer(page, 'Withdraw', () => ({
  number: 1, lost: UNDONE,
  text: [h('p', 'It leaves ', key(sessionKey), ':'), h('p', excerpt(text)),
    atWork(state === 'leased' ? 1 : 0)],
  act: () => remove(`/v1/events/${id}`).then(() => `Withdrew event ${id}.`),
}));
