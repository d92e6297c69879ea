/**
 * What is wrong with a session, in words. They say what the server has found (`problems` of a
 * session) and who has asked; nothing is guessed.
 */
import { moment, since } from './clock.js';
import { h } from './dom.js';
import { plural } from './format.js';
import { code, key, muted, sessionLink, who } from './words.js';

const NAMES = { stranded: 'Stranded', full: 'Full', unattended: 'Unattended', dead: 'Dead letters', policy: 'Policy' };

export const badge = (name) => h(`span.badge.${name}`, NAMES[name] ?? name);
export const badges = ({ problems }) => problems.map((name) => [badge(name), ' ']);

function stranded({ depth, routesTo }) {
  const events = [h('b', plural(depth, 'event')), depth === 1 ? ' stands' : ' stand'];
  if (!routesTo) return [events, ' where nobody can ask: the policy in force refuses this key.'];
  return [events, ' where nobody asks: the policy has changed, and this key now leads to ', sessionLink(routesTo), '.'];
}

const full = ({ depth }) => [h('b', plural(depth, 'event')), ' pending, 90% of ', code('--max-pending'),
  ' or more. At the limit new ones are refused, or the oldest are evicted.'];

const unattended = (session) => [h('b', plural(session.ready, 'event')), ' to take for ', since(session.readySinceTs),
  ', and nobody waits for ', session.ready === 1 ? 'it' : 'them', '. ', lastTaken(session)];

const dead = ({ deadLetters }) => [h('b', plural(deadLetters, 'event')), ' of this queue failed too often or ',
  deadLetters === 1 ? 'was' : 'were', ' evicted, and delivered to nobody.'];

const REASONS = { stranded, full, unattended, dead };

/** Why, for one of the problems of a session. */
export const reason = (name, session) => REASONS[name]?.(session) ?? `The server calls this session ${name}.`;

export const lastTaken = ({ lastTakenTs, lastTakenBy }) => (lastTakenTs === null ?
  'Nobody has taken anything here since the server started.' :
  [who(lastTakenBy, 'Somebody'), ' took something last, ', moment(lastTakenTs), '.']);

/**
 * Why nothing is taken here, as sentences: where the key leads, who asks, and who of the same agent
 * asks for another queue instead.
 */
export function explain(queueKey, decision, askers, neighbours) {
  const own = decision.sessionKey === queueKey;
  const step = decision.steps?.find(({ rule, applied }) => (own ? rule === 'direct-main' : applied));
  return [
    decision.steps && (own ? ['The key is a queue of its own', step && `: ${step.why}`, '.'] :
      ['The key leads to ', sessionLink(decision.sessionKey), ` by ${decision.rule}: ${step.why}.`]),
    askers.length > 0 ? asked(askers) : ['Nobody has asked for this queue since the server started. ',
      own && [code(`sevq run ${queueKey} -- ./heartbeat.sh`), muted(' would.')]],
    ...neighbours.map((one) => [who(one.consumer, 'Somebody'), ` asks for `, sessionLink(one.queueKey),
      muted(` (${one.kind}, `, moment(one.lastTs), ')'), own ? ' instead, another queue of this agent.' : ': there they would be taken.']),
  ].filter(Boolean);
}

function asked(askers) {
  const waiting = askers.find((one) => one.waitingNow > 0);
  if (waiting) return [who(waiting.consumer, 'Somebody'), ' waits for it now.'];
  const last = askers.reduce((a, b) => (a.lastTs > b.lastTs ? a : b));
  return [who(last.consumer, 'Somebody'), ' asked for it last, ', moment(last.lastTs), ', as ', key(last.askedKey), muted(` (${last.kind})`), '.'];
}
