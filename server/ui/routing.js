/** Where a key leads and why, and what stands under the key itself. */
import { badges } from './diagnosis.js';
import { filterForm } from './filters.js';
import { empty, h, key, muted, plural, post, rule, sessionLink, table } from './kit.js';

const FIELDS = [['key', 'Session key'], ['channel', 'Channel'], ['account', 'Account']];

export const routing = {
  title: () => 'Route',

  async load({ query }, get) {
    if (!query.key) return null;
    const body = { sessionKey: query.key, channel: query.channel || undefined, accountId: query.account || undefined };
    const decision = await post('/v1/route', body).catch((problem) => {
      if (problem.status !== 400 && problem.status !== 409) throw problem;
      return { refused: problem };
    });
    const queue = (queueKey) => get('/v1/sessions', { queueKey }).then(({ sessions }) => sessions[0] ?? null);
    const under = await queue(query.key);
    const target = decision.refused || decision.sessionKey === query.key ? null : await queue(decision.sessionKey);
    return { decision, under, target };
  },

  draw(data, { query }) {
    return [
      h('h1', 'Where does a key lead?'),
      filterForm('route', query, FIELDS),
      data === null ? empty('Give a key.', 'It tells in which queue an event posted to it would wait, and why. Nothing is stored.') :
        answer(data, query.key),
    ];
  },
};

function answer({ decision, under, target }, asked) {
  if (decision.refused)
    return [empty('Routing refuses this key.', `${decision.refused.detail}.`), under && standing(asked, under)];
  const moves = decision.sessionKey !== asked;
  return [
    h('p.way', moves ? [key(asked), ' ', h('span.arrow', '— ', rule(decision.rule), ' →'), ' ', sessionLink(decision.sessionKey)] :
      [sessionLink(asked), ' is a queue of its own (', rule(decision.rule), ')']),
    decision.owner && h('p', 'It belongs to the agent ', h('b', decision.owner), '.'),
    h('h2', 'Why'),
    table('', [
      ['Rule', (one) => rule(one.rule)],
      ['Applied', (one) => (one.applied ? h('b', 'yes') : muted('no'))],
      ['Because', (one) => one.why, 'wide'],
    ], decision.steps, (one) => one.rule),
    h('h2', 'What waits'),
    moves && standing(decision.sessionKey, target),
    standing(asked, under, moves),
  ];
}

function standing(queueKey, row, passed = false) {
  if (row === null) return h('p', passed ? 'Nothing stands under the key itself.' : ['Nothing waits in ', sessionLink(queueKey), '.']);
  return h('p', h('b', plural(row.depth, 'event')), passed ? ' still stand under the key itself, ' : ' in ', sessionLink(queueKey), ': ',
    `${row.ready} to take, ${row.leased} leased, ${row.delayed} delayed. `, badges(row));
}
