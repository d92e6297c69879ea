/** The policy in force, what is wrong with its files, and what it has stranded. */
import { moveStranded } from './actions.js';
import { button, count, describe, empty, h, key, moment, muted, plural, post, sessionLink, table } from './kit.js';

const STRANDED_LISTED = 20;

export const policy = {
  title: () => 'Policy',

  async load(route, get, page) {
    const found = await get('/v1/policy');
    const moves = found.stranded.sessions > 0 && page.can('admin') ? await post('/v1/rekey', { dryRun: true }) : null;
    return { found, moves };
  },

  draw({ found, moves }, route, page) {
    return [
      h('h1', 'Policy'),
      found.lastError && failure(found.lastError),
      h('p', found.file === null ? 'There is no policy file: the policy is empty, and only aliases are led elsewhere.' :
        [key(found.file), ' loaded ', moment(found.loadedAt), ', ', muted('hash '), h('span.key', { title: found.hash }, found.hash.slice(0, 12))]),
      page.can('admin') && buttons(page),
      page.memory.tried && trial(page.memory.tried),
      stranded(found.stranded, moves, page),
      h('h2', 'Owners'),
      owners(found),
      h('h2', 'What it says'),
      says(found),
      warnings(found.warnings ?? []),
    ];
  },
};

function failure({ ts, detail, line, column }) {
  return h('p.warn', h('b', 'The last reload failed'), ' ', moment(ts), ': ', detail,
    line ? ` (line ${count(line)}${column ? `, column ${count(column)}` : ''})` : '', '. The policy before stays in force.');
}

function buttons(page) {
  const tryIt = (dryRun) => post('/v1/policy/reload', { dryRun }).then((answer) => ({ dryRun, answer }), (problem) => ({ problem }))
    .then((tried) => {
      page.memory.tried = tried;
      page.draw();
      page.refresh();
    });
  return h('p.actions', button('Check the files', () => tryIt(true)), button('Reload', () => tryIt(false)));
}

function trial({ dryRun, answer, problem }) {
  if (problem) return h('section.warn', { role: 'status' }, describe(problem), h('ul', problem.errors.map((one) =>
    h('li', key(one.file ?? one.pointer ?? ''), one.line ? `:${one.line}:${one.column ?? 1}` : '', ' ', one.detail))));
  if (!dryRun) return h('p.said', { role: 'status' }, answer.changed ? 'The policy was adopted.' : 'The files have not changed.');
  return h('section', { role: 'status' },
    h('p', answer.changed ? 'The files are good, and have changed since they were loaded.' : 'The files are good, and the same as those in force.'),
    answer.wouldStrand.length > 0 && h('p', `A reload would strand ${plural(answer.stranded.events, 'event')} in ${plural(answer.stranded.sessions, 'queue')}:`),
    answer.wouldStrand.length > 0 && h('ul', answer.wouldStrand.map((one) => h('li', h('b', count(one.events)), ' in ', sessionLink(one.queueKey), ' → ',
      one.to === null ? 'nowhere: the key is refused' : key(one.to)))));
}

function stranded({ sessions, events, complete }, moves, page) {
  if (sessions === 0) return h('p', complete ? 'No queue is stranded: every key that has events leads to its own queue.' : 'The queues are still being judged.');
  return h('section', h('h2', 'Stranded'),
    h('p.warn', h('b', plural(events, 'event')), ` in ${plural(sessions, 'queue')} whose key now leads elsewhere. Nobody asks for them there.`),
    moves && table('', [
      ['From', (one) => sessionLink(one.from), 'wide'],
      ['To', (one) => (one.to === null ? 'nowhere: the key is refused' : sessionLink(one.to)), 'wide'],
      ['Events', (one) => count(one.moved), 'number'],
      ['Leased', (one) => count(one.leased), 'number'],
    ], moves.sessions.slice(0, STRANDED_LISTED), (one) => one.from),
    page.can('admin') && h('p.actions', h('button', { type: 'button', onclick: () => moveStranded(page) }, `Move ${plural(events, 'event')} …`)));
}

function owners({ allowlists }) {
  if (allowlists.length === 0) return empty('No channel has an allowlist.', 'Direct chats keep sessions of their own.');
  return table('', [
    ['Channel', (one) => [one.channel, one.account && muted(` ${one.account}`)]],
    ['Owner', (one) => (one.owner === null ? muted(one.wildcard ? 'anybody may write' : 'no single one') : h('b', one.owner))],
    ['Entries', (one) => count(one.entries), 'number'],
    ['Where', (one) => h('span.key', one.where), 'wide'],
  ], allowlists, (one) => one.where);
}

function says(found) {
  const { session, agents } = found;
  const rows = [['dmScope', session.dmScope], ['scope', session.scope], ['main session', session.mainKey],
    ['agents', agents.ids.length > 0 ? agents.ids.join(', ') : 'none named'], ['agent of other keys', agents.default ?? 'none'],
    ['bindings', count(found.bindings)], ['time zone', found.timezone ?? 'UTC'], ['reloads', count(found.reloads)],
    ['includes', found.includes.length > 0 ? found.includes.map((one) => h('div', key(one))) : 'none']];
  return h('dl.details', rows.map(([name, value]) => [h('dt', name), h('dd', value)]));
}

function warnings(found) {
  return found.length > 0 && [h('h2', 'Warnings'), h('ul', found.map((one) => h('li', one)))];
}
