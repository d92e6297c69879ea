/** What is shown when there is nothing to show: why, and what to do next. */
import { until } from './clock.js';
import { h } from './dom.js';
import { duration } from './format.js';
import { button, code, describe, key, muted } from './words.js';

/** Asks for a token; why: a sentence, or null. given(text) is called with it. */
export function tokenForm(why, given) {
  const submit = (event) => {
    event.preventDefault();
    given(new FormData(event.target).get('token').trim() || null);
  };
  return h('form.token', { key: 'token', onsubmit: submit },
    h('h1', 'This page needs a token'),
    why && h('p.warn', why),
    h('p', 'Where the server runs, this opens the page with a token of its own:'),
    h('pre', 'sevq page'),
    h('p', 'That one may look. With ', code('sevq page --admin'), ' you may also purge, requeue and move events.'),
    h('label', 'Or paste a token, such as the first word of the file “token” beside the database',
      h('input', { name: 'token', type: 'password', autocomplete: 'off' })),
    h('div.buttons', h('button', { type: 'submit' }, 'Look')),
    h('p', muted('It stays in this tab and ends with it. A server with --no-auth needs none.')));
}

/** An empty list: why, and what next. */
export const empty = (why, ...next) => h('p.empty', h('b', why), ' ', ...next);

/** A view that could not be loaded. */
export function failed(problem, here, scopes) {
  if (problem.status === 403) return forbidden(problem, scopes);
  if (problem.status === 404 && here.name === 'event') return forgotten(here);
  if (problem.status === 0 || problem.status === 429 || problem.status === 503)
    return [h('h1', 'Nothing to show yet'), h('p', 'The page goes on trying.')];
  return [h('h1', 'This could not be loaded'), describe(problem), h('p', h('a', { href: '#/' }, 'To the overview'))];
}

const forbidden = (problem, scopes) => [
  h('h1', 'This token may not look at this'), h('p', problem.detail, '.'),
  h('p', 'It may ', h('b', scopes.join(', ') || 'do nothing'), '. ', code('sevq page --admin'), ' opens the page with one that may do everything.'),
];

const forgotten = ({ id }) => [
  h('h1', 'There is no event ', key(id)),
  h('p', 'There never was one with this id, or it left its queue so long ago that it is forgotten (',
    code('--retention-ms'), ').'),
  h('p', h('a', { href: '#/history' }, 'The history'), ' has what is remembered.'),
];

/** The lines above everything. at: when what is shown was loaded; againTs: the next try. */
export function banners({ problem, at, againTs, full, said, forget }) {
  return [
    problem && h('p.banner.bad', { key: 'problem' }, h('span', h('b', TROUBLE[problem.status]), problem.detail && ` ${problem.detail}.`,
      at !== null && ` What you see is ${duration(Date.now() - at)} old.`, ' Trying again in ', until(againTs), '.')),
    full && h('p.banner.bad', { key: 'full' }, h('span', h('b', 'No event can be stored: the disk is full or fails.'),
      ' Taking and acknowledging still work. Make room; the server’s log names the limit.')),
    said && h(said.failed ? 'p.banner.bad' : 'p.banner.good', { key: 'said' },
      h('span', said.words), button('Dismiss', forget)),
  ];
}

const TROUBLE = { 0: 'The server does not answer.', 429: 'The server is busy:', 503: 'The server cannot answer now:' };
