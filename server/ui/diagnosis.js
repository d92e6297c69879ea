/**
 * What is wrong with a session, in words. They say what the server has found (`problems` of a
 * session) and who has asked; nothing is guessed.
 */
import { code, h, moment, muted, plural, sessionLink, since, who } from './kit.js';

const START = 'since the server started.';

export const badge = (name) => h(`span.badge.${name}`, name);
export const badges = ({ problems }) => problems.map((name) => [badge(name), ' ']);

const events = (n) => h('b', plural(n, 'event'));
const somebody = (name) => who(name, 'Somebody');

const REASONS = {
  stranded: ({ depth, routesTo }) => [events(depth), depth === 1 ? ' stands' : ' stand',
    ' where nobody ', ...routesTo ?
      ['asks: the policy has changed, and this key now leads to ', sessionLink(routesTo), '.'] :
      ['can ask: the policy in force refuses this key.']],
  full: ({ depth }) => [events(depth), ' pending, 90% of ', code('--max-pending'),
    ' or more.'],
  unattended: (session) => [events(session.ready), ' to take for ', since(session.readySinceTs),
    ', and nobody waits for ', session.ready === 1 ? 'it' : 'them', '. ', lastTaken(session)],
  dead: ({ deadLetters }) => [events(deadLetters), ' failed too often or gave way to newer ones.'],
};

/** Why, for one of the problems of a session. */
export const reason = (name, session) =>
  REASONS[name]?.(session) ?? `The server calls this session ${name}.`;

export const lastTaken = ({ lastTakenTs, lastTakenBy }) => (lastTakenTs === null ?
  `Nobody has taken anything here ${START}` :
  [somebody(lastTakenBy), ' took something last, ', moment(lastTakenTs), '.']);

/**
 * Why nothing is taken here, as sentences: where the key leads, who asks, and who of the same agent
 * asks for another queue instead.
 */
export function explain(queueKey, { sessionKey, rule: by, steps }, askers, neighbours) {
  const own = sessionKey === queueKey;
  const step = steps?.find(({ rule, applied }) => (own ? rule === 'direct-main' : applied));
  return [
    steps && (own ? ['The key is a queue of its own', step && `: ${step.why}`, '.'] :
      ['The key leads to ', sessionLink(sessionKey), ` by ${by}: ${step.why}.`]),
    askers.length > 0 ? asked(askers) : [`Nobody has asked for this queue ${START} `,
      own && [code(`sevq run ${queueKey} -- ./heartbeat.sh`), muted(' would.')]],
    ...neighbours.map((one) => [somebody(one.consumer), ' asks for ', sessionLink(one.queueKey),
      muted(` (${one.kind}, `, moment(one.lastTs), ')'),
      own ? ' instead.' : ': there they would be taken.']),
  ];
}

function asked(askers) {
  const { consumer, waitingNow, lastTs } = askers.find((one) => one.waitingNow > 0) ?? askers[0];
  return [somebody(consumer), waitingNow > 0 ? ' waits for it now.' :
    [' asked for it last, ', moment(lastTs), '.']];
}
