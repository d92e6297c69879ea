/** The first view: what is wrong and what to do about it; then how much there is, and the policy. */
import { moveStranded, requeue } from './actions.js';
import { badge, reason } from './diagnosis.js';
import { address, button, bytes, count, empty, h, key, keysOf, moment, now, plural, sessionLink, since } from './kit.js';
import { note, rates } from './rates.js';
import { update } from './sessions.js';

const LISTED = 10;

export const overview = {
  title: () => 'Overview',

  /** A token for some agents is told nothing of the whole server. */
  async load(route, get, { whole }) {
    const [stats, policy, worst, letters] = await Promise.all([
      whole && get('/v1/stats'),
      whole && get('/v1/policy'),
      get('/v1/sessions', { problem: 'any', sort: 'problem', limit: LISTED }),
      whole || get('/v1/dead-letters', { limit: 1 }),
    ]);
    if (stats) note(stats);
    return { stats, policy, worst, dead: stats ? stats.deadLetters : letters.events.length };
  },

  change: ({ worst }, change) => update(worst.sessions, change),

  draw({ stats, policy, dead, worst: { sessions, total, nextCursor } }, route, page) {
    const shown = keysOf(sessions.map(({ sessionKey }) => sessionKey));
    const worse = sessions.filter(({ problems }) => problems[0] !== 'dead'); // of those one item tells
    const listed = (unattended) => worse.filter(({ problems }) => (problems[0] === 'unattended') === unattended)
      .map((one) => ofSession(one, shown, page));
    const found = [failedPolicy(policy), ...listed(false), deadLetters(dead, stats, page), ...listed(true)].filter(Boolean);
    return [
      h('h1', 'What is wrong'),
      found.length > 0 ? h('ol.problems', { 'data-rows': true }, found) : allIsWell(stats),
      nextCursor && h('p', h('a', { href: address('sessions', null, { problem: 'any', sort: 'problem' }) },
        `All ${plural(total, 'session')} with problems`)),
      stats && [h('h2', 'How much there is'), numbers(stats), rates()],
      policy && [h('h2', 'Policy'), policyLine(policy)],
    ];
  },
};

function allIsWell(stats) {
  return empty('Nothing.', stats?.ready === 0 ? 'No event waits to be taken.' :
    'Whatever can be taken has somebody who takes it, or has not waited long.', ' An event is missing all the same? ',
  h('a', { href: address('history') }, 'The history'), ' tells where it went, ', h('a', { href: address('route') }, 'Route'), ' where its key leads.');
}

const item = (id, name, words, ...actions) =>
  h('li.problem', { key: id }, badge(name), h('div', words), h('div.actions', actions));

function ofSession(session, shown, page) {
  const { sessionKey, routesTo, problems: [name] } = session;
  return item(sessionKey, name, [h('p', sessionLink(sessionKey, shown(sessionKey))), h('p', reason(name, session))],
    name === 'stranded' && routesTo && page.can('admin') && button('Move …', () => moveStranded(page, sessionKey)),
    h('a.button', { href: address('session', sessionKey) }, 'Why?'));
}

function failedPolicy(policy) {
  return policy?.lastError && item('policy', 'policy', h('p', h('b', 'The policy was not adopted'), ' ', moment(policy.lastError.ts), ': ',
    policy.lastError.detail, '. The one before stays in force.'), h('a.button', { href: address('policy') }, 'Look'));
}

function deadLetters(dead, stats, page) {
  return dead > 0 && item('dead', 'dead', h('p', h('b', stats ? plural(dead, 'event') : 'Events'),
    ' failed too often or gave way to newer ones: delivered to nobody.'),
  page.can('admin') && button('Requeue …', () => requeue(page, { all: true })),
  h('a.button', { href: address('dead') }, 'Look'));
}

function numbers({ ready, leased, delayed, deadLetters: dead, oldestReadyAgeMs, sessions, store }) {
  const longest = address('sessions', null, { sort: 'unattended' });
  const rows = [['ready', count(ready), longest], ['leased', count(leased), address('leases')],
    ['delayed', count(delayed)], ['dead', count(dead), address('dead')],
    ['waits longest', ready > 0 ? since(now() - oldestReadyAgeMs) : '–', longest],
    ['sessions', count(sessions), address('sessions')],
    ['disk', `${bytes(store.databaseBytes + store.walBytes)}, ${bytes(store.freeBytes)} free`]];
  return h('dl.numbers', rows.map(([name, value, href]) =>
    h('div', h('dt', name), h('dd', href ? h('a', { href }, value) : value))));
}

const policyLine = ({ file, loadedAt, session }) => h('p', file ? key(file) : 'No file: the policy is empty', ', loaded ', moment(loadedAt),
  ', dmScope ', h('b', session.dmScope), ', ', h('a', { href: address('policy') }, 'more'), '.');
