/** One queue: why nothing is taken from it, both sides of its key, and its events in order. */
import { moveStranded, purge } from './actions.js';
import { askerId, lastAsked } from './consumers.js';
import { badges, explain, lastTaken, reason } from './diagnosis.js';
import { address, button, count, empty, eventLink, excerpt, h, key, moment, muted, pager, plural, post, rule, sessionLink, state, table,
  until, who } from './kit.js';
import { update } from './sessions.js';

const LISTED = 100;
const LEASES = 20;
const NEIGHBOURS = 2;

export const session = {
  title: ({ id }) => id ?? 'Session',

  async load({ id, query }, get) {
    const [{ sessions: [row = null] }, events, decision, { consumers }, { leases }] = await Promise.all([
      get('/v1/sessions', { queueKey: id }),
      get('/v1/events', { queueKey: id, limit: LISTED, after: query.after }),
      post('/v1/route', { sessionKey: id }).catch(refusal),
      get('/v1/consumers'),
      get('/v1/leases', { queueKey: id, limit: LEASES }),
    ]);
    const held = await Promise.all(leases.map(({ leaseId }) => get(`/v1/leases/${leaseId}`).catch(() => ({ ids: [] }))));
    return { row, events, decision, held, ...apart(consumers, id, decision) };
  },

  change({ row }, change, { id }) {
    return change.queueKey === id && update(row === null ? [] : [row], change);
  },

  draw(data, { id, query }, page) {
    const { row, events: { events, more } } = data;
    const link = (view, text) => h('a', { href: address(view, null, { queueKey: id }) }, text);
    return [
      h('h1', key(id)),
      row === null ? absent(id, data) : [h('p.figures', badges(row), figures(row)), why(row, data, page)],
      sides(data, id),
      row !== null && [h('h2', 'Events, oldest first'), list(data),
        pager(more && address('session', id, { after: events.at(-1)?.id }), query.after && address('session', id))],
      h('p.links', row !== null && page.can('admin') && button('Purge …', () => purge(page, id)),
        link('history', 'History'), link('dead', 'Dead letters'), link('consumers', 'Consumers'),
        h('a', { href: address('route', null, { key: id }) }, 'Route')),
    ];
  },
};

function refusal(problem) {
  if (problem.status !== 400) throw problem;
  return { refused: problem.detail };
}

/** Who asks for this queue, who asked under its key, who of the same agent asks for another queue. */
function apart(consumers, id, { sessionKey: leadsTo }) {
  const agent = /^agent:[^:]+:/.exec(id)?.[0];
  const near = leadsTo && leadsTo !== id ? ({ queueKey }) => queueKey === leadsTo :
    ({ queueKey }) => queueKey !== id && agent && queueKey.startsWith(agent);
  return {
    askers: consumers.filter(({ queueKey }) => queueKey === id),
    underKey: consumers.filter(({ askedKey, queueKey }) => askedKey === id && queueKey !== id),
    neighbours: consumers.filter(near).slice(0, NEIGHBOURS),
  };
}

function absent(id, { decision: { refused, sessionKey, rule: by, steps } }) {
  if (refused) return empty('No event is pending under this key.', `Routing refuses it: ${refused}.`);
  if (sessionKey === id)
    return empty('No event is pending here.', 'Those that were are in ', h('a', { href: address('history', null, { queueKey: id }) }, 'the history'), '.');
  return empty('No event is queued under this key.', 'What is posted to it is queued in ', sessionLink(sessionKey),
    ' by ', rule(by), `: ${steps.find(({ applied }) => applied).why}.`);
}

const figures = ({ ready, leased, delayed, waiters }) => Object.entries({ ready, leased, delayed, waiters })
  .map(([name, n]) => h('span', h('b', count(n)), ` ${name}`));

/** The answer to "why is it not drained", the worst reason first. */
function why(row, { decision, askers, neighbours }, page) {
  const reasons = row.problems.map((name) => [reason(name, row), name === 'stranded' && row.routesTo && page.can('admin') &&
    [' ', button('Move …', () => moveStranded(page, row.sessionKey))]]);
  const words = [...reasons, row.ready === 0 && resting(row),
    ...explain(row.sessionKey, decision, askers, row.ready > 0 && askers.length === 0 ? neighbours : []),
    !row.problems.includes('unattended') && lastTaken(row)];
  return h('section.why', h('h2', reasons.length > 0 ? 'Why is it not drained?' : 'How it is drained'),
    h('ul', words.filter(Boolean).map((said) => h('li', said))));
}

function resting({ depth, leased, delayed }) {
  const held = depth - leased - delayed;
  return ['There is nothing to take: ', [leased > 0 && `${plural(leased, 'event')} leased`,
    delayed > 0 && `${plural(delayed, 'event')} delayed`,
    held > 0 && `${plural(held, 'event')} held back by a lease of the whole queue, or damaged`]
    .filter(Boolean).join(', '), '.'];
}

/** Posted as and asked for as: the two sides that must meet. */
function sides({ row, events, askers, underKey }, id) {
  const rules = new Map(events.events.map((one) => [one.originalSessionKey, one.rule]));
  const moved = row?.rekeyedFrom ?? [];
  const own = row?.rekeyedFromMore ? 0 : (row?.depth ?? 0) - moved.reduce((sum, one) => sum + one.count, 0);
  const posted = own > 0 ? [{ key: id, count: own }, ...moved] : moved;
  const asked = [...askers, ...underKey];
  return h('div.sides',
    h('section', h('h2', 'Posted as'), posted.length === 0 ? h('p', muted('Nothing that is still here.')) : table('', [
      ['Key', (one) => (one.key === id ? muted('this key') : key(one.key)), 'wide'],
      ['Rule', (one) => (rules.has(one.key) ? rule(rules.get(one.key)) : muted('–'))],
      ['Events', (one) => count(one.count), 'number'],
    ], posted, (one) => one.key), row?.rekeyedFromMore && h('p', muted('Of the newest events only: there are many.'))),
    h('section', h('h2', 'Asked for as'), asked.length === 0 ? h('p', muted('Nobody has asked since the server started.')) : table('', [
      ['Key', (one) => [one.askedKey === id ? muted('this key') : key(one.askedKey), one.queueKey !== id && [' leads to ', sessionLink(one.queueKey)]], 'wide'],
      ['Rule', (one) => rule(one.rule)],
      ['Who', (one) => [who(one.consumer), ' ', muted(one.kind)], 'wide'],
      ['Got', (one) => count(one.taken), 'number'],
      ['Last', lastAsked],
    ], asked, askerId)));
}

function list({ events: { events }, held }) {
  const holders = new Map(held.flatMap((lease) => lease.ids.map((id) => [id, lease])));
  return table('', [
    ['Id', (one) => eventLink(one.id), 'number'],
    ['State', (one) => [state(one.state), ' ', holder(one, holders.get(one.id))]],
    ['From', (one) => [one.originalSessionKey === one.sessionKey ? muted('this key') : key(one.originalSessionKey), ' ', rule(one.rule)], 'wide'],
    ['Posted', (one) => moment(one.ts)],
    ['Tries', (one) => (one.attempts === 0 ? muted('0') : count(one.attempts)), 'number'],
    ['Text', (one) => excerpt(one.text), 'wide'],
  ], events, (one) => one.id);
}

function holder({ state: name, availableAt }, lease) {
  if (name === 'delayed') return ['for ', until(availableAt)];
  return name === 'leased' && lease && ['by ', who(lease.consumer), ' for ', until(lease.expiresAt)];
}
