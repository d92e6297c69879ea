/** Where a key leads and why, and what stands under the key itself. */
import { badges } from './diagnosis.js';
import { filterForm } from './filters.js';
import { empty, h, muted, plural, post, rule, sessionLink, table, way } from './kit.js';

const FIELDS = [['key', 'Session key'], ['channel', 'Channel'], ['account', 'Account']];

export const routing = {
  title: 'Route',

  async load({ query: { key: sessionKey, channel, account: accountId } }, get) {
    if (!sessionKey) return null;
    const body = { sessionKey, channel: channel || undefined, accountId: accountId || undefined };
    const decision = await post('/v1/route', body).catch((problem) => {
      if (problem.status !== 400 && problem.status !== 409) throw problem;
      return { refused: problem };
    });
    const queue = async (queueKey) => (await get('/v1/sessions', { queueKey })).sessions[0];
    const moves = !decision.refused && decision.sessionKey !== sessionKey;
    return { decision, moves, under: await queue(sessionKey),
      target: moves && await queue(decision.sessionKey) };
  },

  draw(data, { query }) {
    return [
      h('h1', 'Where does a key lead?'),
      filterForm('route', query, FIELDS),
      data === null ? empty('Give a key.', 'It tells where an event to it would wait, and why.') :
        answer(data, query.key),
    ];
  },
};

function answer({ decision, moves, ...found }, asked) {
  const { refused, sessionKey, rule: by, owner, steps } = decision;
  if (refused)
    return [empty('Routing refuses this key.', `${refused.detail}.`),
      found.under && standing('Under the key itself', found.under)];
  return [
    h('p.way', moves ? way(asked, by, sessionKey) :
      [sessionLink(asked), ' is a queue of its own (', rule(by), ')']),
    owner && h('p', 'It belongs to the agent ', h('b', owner), '.'),
    h('h2', 'Why'),
    table('', [
      ['Rule', (one) => rule(one.rule)],
      ['Applied', (one) => (one.applied ? h('b', 'yes') : muted('no'))],
      ['Because', (one) => one.why, 'wide'],
    ], steps, (one) => one.rule),
    h('h2', 'What waits'),
    moves && standing(sessionLink(sessionKey), found.target),
    standing(moves ? 'Under the key itself' : sessionLink(asked), found.under),
  ];
}

const standing = (where, row) => h('p', where, ': ', row ? [h('b', plural(row.depth, 'event')),
  ` (${row.ready} to take, ${row.leased} leased, ${row.delayed} delayed) `, badges(row)] :
  'nothing');
