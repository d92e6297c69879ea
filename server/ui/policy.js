/** The policy in force, what is wrong with its files, and what it has stranded. */
import { moveStranded } from './actions.js';
import { button, count, describe, details, empty, h, key, moment, muted, plural, post,
  sessionLink, table, target } from './kit.js';

const LISTED = 20;

export const policy = {
  title: 'Policy',

  async load(route, get, page) {
    const found = await get('/v1/policy');
    const judge = found.stranded.sessions > 0 && page.can('admin');
    return { found, moves: judge && (await post('/v1/rekey', { dryRun: true })).sessions };
  },

  draw({ found, moves }, route, page) {
    const { file, loadedAt, hash, lastError, warnings = [] } = found;
    return [
      h('h1', 'Policy'),
      lastError && failure(lastError),
      h('p', file === null ?
        'There is no policy file: only aliases are led elsewhere.' :
        [key(file), ' loaded ', moment(loadedAt), ', ', muted('hash '),
          h('span.key', { title: hash }, hash.slice(0, 12))]),
      page.can('admin') && h('p.actions',
        button('Check the files', () => reload(page, true)),
        button('Reload', () => reload(page, false))),
      page.memory.tried && h('section', { role: 'status' }, trial(page.memory.tried)),
      stranded(found.stranded, moves, page),
      h('h2', 'Owners'),
      owners(found),
      h('h2', 'What it says'),
      details(says(found)),
      warnings.length > 0 && [h('h2', 'Warnings'), h('ul', warnings.map((one) => h('li', one)))],
    ];
  },
};

const failure = ({ ts, detail, line, column }) => h('p.warn', h('b', 'The last reload failed'),
  ' ', moment(ts), ': ', detail, line && ` (line ${line}, column ${column})`,
  '. The one before stays in force.');

async function reload(page, dryRun) {
  page.memory.tried = await post('/v1/policy/reload', { dryRun })
    .then((answer) => ({ dryRun, ...answer }), (problem) => ({ problem }));
  page.draw();
  page.refresh();
}

function trial({ problem, dryRun, changed, stranded: { sessions, events } = {}, wouldStrand }) {
  if (problem) return h('div.warn', describe(problem), h('ul', problem.errors.map((one) =>
    h('li', key(one.file ?? ''), one.line && `:${one.line}:${one.column}`, ' ',
      one.detail))));
  if (!dryRun)
    return h('p', changed ? 'The policy was adopted.' : 'The files have not changed.');
  return [
    h('p', 'The files are good, and have ', !changed && 'not ', 'changed.'),
    wouldStrand.length > 0 && [
      h('p', `A reload would strand ${plural(events, 'event')} in ${plural(sessions, 'queue')}:`),
      h('ul', wouldStrand.map((one) => h('li', h('b', count(one.events)), ' in ',
        sessionLink(one.queueKey), ' → ', target(one.to))))],
  ];
}

function stranded({ sessions, events, complete }, moves, page) {
  if (sessions === 0) return h('p', complete ?
    'No queue is stranded.' :
    'The queues are still being judged.');
  return [
    h('h2', 'Stranded'),
    h('p.warn', h('b', plural(events, 'event')), ` in ${plural(sessions, 'queue')} whose key now `,
      'leads elsewhere.'),
    moves && table('', [
      ['From', (one) => one.from, 'session'],
      ['To', (one) => target(one.to, sessionLink), 'wide'],
      ['Events', 'moved', 'number'],
      ['Leased', 'leased', 'number'],
    ], moves.slice(0, LISTED), (one) => one.from),
    page.can('admin') && h('p.actions',
      button(`Move ${plural(events, 'event')} …`, () => moveStranded(page))),
  ];
}

function owners({ allowlists }) {
  if (allowlists.length === 0)
    return empty('No channel has an allowlist.', 'Direct chats have sessions of their own.');
  const nobody = ({ wildcard }) => muted(wildcard ? 'anybody may write' : 'no single one');
  return table('', [
    ['Channel', (one) => [one.channel, ' ', muted(one.account)]],
    ['Owner', (one) => (one.owner === null ? nobody(one) : h('b', one.owner))],
    ['Entries', 'entries', 'number'],
    ['Where', (one) => key(one.where), 'wide'],
  ], allowlists, (one) => one.where);
}

const says = ({ session, agents, includes }) => [
  ['dmScope', session.dmScope], ['agents', agents.ids.join(', ')],
  ['includes', includes.length > 0 && includes.map((one) => h('div', key(one)))],
];
