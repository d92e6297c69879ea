/** One queue: why nothing is taken from it, both sides of its key, and its events in order. */
import { moveStranded, purge } from './actions.js';
import { asked, askerId } from './consumers.js';
import { badges, explain, lastTaken, reason } from './diagnosis.js';
import { EVENT, TEXT, TRIES, address, button, count, empty, h, key, moment, muted, pager, plural,
  post, rule, sessionLink, state, table, until, who } from './kit.js';
import { lookUp } from './leases.js';
import { update } from './sessions.js';

const LISTED = 100;
const LEASES = 20;
const NEIGHBOURS = 2;

export const session = {
  title: ({ id }) => id ?? 'Session',

  async load({ id, query }, get) {
    const [{ sessions: [row = null] }, { sessions: [dead] }, events, decision, { consumers },
      { leases }] = await Promise.all([
      get('/v1/sessions', { queueKey: id }),
      get('/v1/sessions', { queueKey: id, problem: 'dead' }),
      get('/v1/events', { queueKey: id, limit: LISTED, after: query.after }),
      post('/v1/route', { sessionKey: id }).catch(refusal),
      get('/v1/consumers'),
      get('/v1/leases', { queueKey: id, limit: LEASES }),
    ]);
    await lookUp(leases, get);
    return { row, dead, events, decision, leases, ...apart(consumers, id, decision) };
  },

  change({ row }, change, { id }) {
    return change.queueKey === id && update([row ?? {}], change);
  },

  draw(data, { id, query }, page) {
    const { row, events: { events, more } } = data;
    const link = (view, text, asks = { queueKey: id }) =>
      h('a', { href: address(view, null, asks) }, text);
    return [
      h('h1', key(id)),
      row === null ? absent(id, data) :
        [h('p.figures', badges(row), figures(row)), why(row, data, page)],
      sides(data, id),
      row !== null && [h('h2', 'Events, oldest first'), list(data),
        pager(more && address('session', id, { after: events.at(-1)?.id }),
          query.after && address('session', id))],
      h('p.links', row !== null && page.can('admin') && button('Purge …', () => purge(page, id)),
        link('history', 'History'), link('dead', 'Dead letters'), link('consumers', 'Consumers'),
        link('route', 'Route', { key: id })),
    ];
  },
};

function refusal(problem) {
  if (problem.status !== 400) throw problem;
  return { refused: problem.detail };
}

/** Who asks for this queue or under its key, and who of the same agent asks for another queue. */
function apart(consumers, id, { sessionKey: leadsTo }) {
  const agent = /^agent:[^:]+:/.exec(id)?.[0];
  const near = ({ queueKey }) => (leadsTo !== id ? queueKey === leadsTo :
    queueKey !== id && agent && queueKey.startsWith(agent));
  return {
    askers: consumers.filter(({ queueKey }) => queueKey === id),
    underKey: consumers.filter(({ askedKey, queueKey }) => askedKey === id && queueKey !== id),
    neighbours: consumers.filter(near).slice(0, NEIGHBOURS),
  };
}

function absent(id, { dead, decision: { refused, sessionKey, rule: by } }) {
  return empty('No event is queued here.', dead && [reason('dead', dead), ' '],
    refused ? `Routing refuses it: ${refused}.` : sessionKey !== id &&
      ['What is posted to it is queued in ', sessionLink(sessionKey), ' by ', rule(by), '.']);
}

const figures = (row) => ['ready', 'leased', 'delayed', 'waiters']
  .map((name) => h('span', h('b', count(row[name])), ` ${name}`));

/** The answer to "why is it not drained", the worst reason first. */
function why(row, { decision, askers, neighbours }, page) {
  const { sessionKey, problems, ready } = row;
  const reasons = problems.map((name) => [reason(name, row),
    name === 'stranded' && row.routesTo && page.can('admin') &&
      [' ', button('Move …', () => moveStranded(page, sessionKey))]]);
  const words = [...reasons, ready === 0 && resting(row),
    ...explain(sessionKey, decision, askers, ready > 0 && askers.length === 0 ? neighbours : []),
    !problems.includes('unattended') && lastTaken(row)];
  return h('section.why',
    h('h2', reasons.length > 0 ? 'Why is it not drained?' : 'How it is drained'),
    h('ul', words.filter(Boolean).map((said) => h('li', said))));
}

function resting({ depth, leased, delayed }) {
  const held = depth - leased - delayed;
  const parts = [[leased, 'leased'], [delayed, 'delayed'],
    [held, 'held back by a lease of the whole queue, or damaged']];
  return ['There is nothing to take: ', parts.filter(([n]) => n > 0)
    .map(([n, how]) => `${plural(n, 'event')} ${how}`).join(', '), '.'];
}

/** Posted as and asked for as: the two sides that must meet. */
function sides({ row, events: { events }, askers, underKey }, id) {
  const rules = new Map(events.map((one) => [one.originalSessionKey, one.rule]));
  const moved = row?.rekeyedFrom ?? [];
  const own = row?.rekeyedFromMore ? 0 :
    (row?.depth ?? 0) - moved.reduce((sum, one) => sum + one.count, 0);
  const side = (title, none, columns, rows, of, caption) => h('section', h('h2', title),
    rows.length === 0 ? h('p', muted(none)) : table(caption, columns, rows, of));
  return h('div.sides',
    side('Posted as', 'Nothing that is still here.', [
      ['Key', (one) => keyBeside(one.key, id), 'wide'],
      ['Rule', (one) => (rules.has(one.key) ? rule(rules.get(one.key)) : muted('–'))],
      ['Events', 'count', 'number'],
    ], own > 0 ? [{ key: id, count: own }, ...moved] : moved, (one) => one.key,
    row?.rekeyedFromMore && 'The newest of very many'),
    side('Asked for as', 'Nobody has asked since the server started.', asked(id),
      [...askers, ...underKey], askerId));
}

const keyBeside = (text, id) => (text === id ? muted('this key') : key(text));

function list({ events: { events }, leases }) {
  const holders = new Map(leases.flatMap((one) => (one.ids ?? []).map((id) => [id, one])));
  return table('', [
    EVENT,
    ['State', (one) => [state(one.state), ' ', holder(one, holders.get(one.id))]],
    ['From', (one) => [keyBeside(one.originalSessionKey, one.sessionKey), ' ', rule(one.rule)],
      'wide'],
    ['Posted', (one) => moment(one.ts)],
    TRIES, TEXT,
  ], events, (one) => one.id);
}

function holder({ state: name, availableAt }, lease) {
  if (name === 'delayed') return ['for ', until(availableAt)];
  return lease && ['by ', who(lease.consumer), ' for ', until(lease.expiresAt)];
}
