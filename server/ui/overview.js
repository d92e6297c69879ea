/** The first view: what is wrong and what to do about it; how much there is; the policy. */
import { moveStranded, requeue } from './actions.js';
import { badge, reason } from './diagnosis.js';
import { address, button, bytes, commonPrefix, count, empty, h, key, moment, now, plural,
  sessionLink, since } from './kit.js';
import { note, rates } from './rates.js';
import { update } from './sessions.js';

const WORST = { problem: 'any', sort: 'problem' };
const LISTED = 10;

export const overview = {
  title: 'Overview',

  /** A token for some agents is told nothing of the whole server. */
  async load(route, get, { whole }) {
    const [stats, policy, worst, letters] = await Promise.all([
      whole && get('/v1/stats'),
      whole && get('/v1/policy'),
      get('/v1/sessions', { ...WORST, limit: LISTED }),
      whole || get('/v1/dead-letters', { limit: 1 }),
    ]);
    if (stats) note(stats);
    return { stats, policy, worst, dead: stats ? stats.deadLetters : letters.events.length };
  },

  change: ({ worst }, change) => update(worst.sessions, change),

  draw({ stats, policy, dead, worst: { sessions, total, nextCursor } }, route, page) {
    const common = commonPrefix(sessions.map(({ sessionKey }) => sessionKey)).length;
    const listed = (unattended) => sessions
      .filter(({ problems: [worst] }) => worst !== 'dead' &&
        (worst === 'unattended') === unattended)
      .map((one) => ofSession(one, common, page));
    const found = [failedPolicy(policy), ...listed(false), deadLetters(dead, stats, page),
      ...listed(true)].filter(Boolean);
    return [
      h('h1', 'What is wrong'),
      found.length > 0 ? h('ol.problems', { 'data-rows': true }, found) : allIsWell(stats),
      nextCursor && h('p', h('a', { href: address('sessions', null, WORST) },
        `All ${plural(total, 'session')} with problems`)),
      stats && [h('h2', 'How much there is'), numbers(stats), rates()],
      policy && [h('h2', 'Policy'), policyLine(policy)],
    ];
  },
};

const allIsWell = (stats) => empty('Nothing.', stats?.ready === 0 ? 'No event waits to be taken. ' :
  'No event has waited long. ', h('a', { href: address('history') }, 'The history'),
' tells where one went, ', h('a', { href: address('route') }, 'Route'), ' where a key leads.');

const item = (id, name, words, action, at, look = 'Look') => h('li.problem', { key: id },
  badge(name), h('div', words), h('div.actions', action, h('a.button', { href: at }, look)));

function ofSession(session, common, page) {
  const { sessionKey, routesTo, problems: [name] } = session;
  return item(sessionKey, name,
    [h('p', sessionLink(sessionKey, common)), h('p', reason(name, session))],
    name === 'stranded' && routesTo && page.can('admin') &&
      button('Move …', () => moveStranded(page, sessionKey)),
    address('session', sessionKey), 'Why?');
}

const failedPolicy = (policy) => policy?.lastError && item('policy', 'policy',
  h('p', h('b', 'The policy was not adopted'), ' ', moment(policy.lastError.ts), ': ',
    policy.lastError.detail, '. The one before stays in force.'), null, address('policy'));

const deadLetters = (dead, stats, page) => dead > 0 && item('dead', 'dead',
  h('p', h('b', stats ? plural(dead, 'event') : 'Events'),
    ' failed too often or gave way to newer ones.'),
  page.can('admin') && button('Requeue …', () => requeue(page, { all: true })), address('dead'));

function numbers({ ready, leased, delayed, deadLetters: dead, oldestReadyAgeMs, store }) {
  const longest = address('sessions', null, { sort: 'unattended' });
  const rows = [['ready', count(ready), longest], ['leased', count(leased), address('leases')],
    ['delayed', count(delayed)], ['dead', count(dead), address('dead')],
    ['waits longest', ready > 0 ? since(now() - oldestReadyAgeMs) : '–', longest],
    ['disk', `${bytes(store.databaseBytes + store.walBytes)}, ${bytes(store.freeBytes)} free`]];
  return h('dl.numbers', rows.map(([name, value, href]) =>
    h('div', h('dt', name), h('dd', href ? h('a', { href }, value) : value))));
}

const policyLine = ({ file, session: { dmScope } }) => h('p', file ? key(file) : 'No file',
  ', dmScope ', h('b', dmScope), ', ', h('a', { href: address('policy') }, 'more'), '.');
