/** What is shown when there is nothing to show: why, and what to do next. */
import { until } from './clock.js';
import { h } from './dom.js';
import { duration } from './format.js';
import { button, code, describe, key, muted } from './words.js';

/** Asks for a token; why: a sentence, or null. given(text) is called with it. */
export function tokenForm(why, given) {
  const onsubmit = (event) => {
    event.preventDefault();
    given(new FormData(event.target).get('token').trim() || null);
  };
  return h('form.token', { key: 'token', onsubmit },
    h('h1', 'This page needs a token'),
    why && h('p.warn', why),
    h('p', 'Where the server runs, ', code('sevq page'), ' opens the page with one that may look, ',
      code('sevq page --admin'), ' with one that may change things.'),
    h('label', 'Or paste a token, such as that in the file token beside the database',
      h('input', { name: 'token', type: 'password', autocomplete: 'off' })),
    h('div.buttons', h('button', { type: 'submit' }, 'Look')),
    h('p', muted('It stays in this tab. With --no-auth none is needed.')));
}

/** An empty list: why, and what next. */
export const empty = (why, ...next) => h('p.empty', h('b', why), ' ', ...next);

/** Failures after which the page goes on trying, by status. */
export const TROUBLE = { 0: 'The server does not answer.', 429: 'The server is busy:',
  503: 'The server cannot answer now:' };

/** A view that could not be loaded. */
export function failed(problem, { name, id }, scopes) {
  const { status, detail } = problem;
  if (status === 403) return [
    h('h1', 'This token may not look at this'), h('p', detail, '.'),
    h('p', 'It may ', h('b', scopes.join(', ') || 'do nothing'), '. ', code('sevq page --admin'),
      ' may do everything.')];
  if (status === 404 && name === 'event') return [
    h('h1', 'There is no event ', key(id)),
    h('p', 'There never was, or it left its queue so long ago that it is forgotten (',
      code('--retention-ms'), ').'),
    h('p', h('a', { href: '#/history' }, 'The history'), ' has what is remembered.')];
  if (status in TROUBLE)
    return [h('h1', 'Nothing to show yet'), h('p', 'The page goes on trying.')];
  return [h('h1', 'This could not be loaded'), describe(problem),
    h('p', h('a', { href: '#/' }, 'To the overview'))];
}

const banner = (name, bad, ...words) =>
  h(`p.banner.${bad ? 'bad' : 'good'}`, { key: name }, ...words);

/** The lines above everything, of a Page; forget() takes away what was said. */
export function banners({ problem, loadedAt, againTs, full, said }, forget) {
  return [
    againTs !== null && banner('problem', true, h('span', h('b', TROUBLE[problem.status]),
      problem.detail && ` ${problem.detail}.`,
      loadedAt !== null && ` What you see is ${duration(Date.now() - loadedAt)} old.`,
      ' Trying again in ', until(againTs), '.')),
    full && banner('full', true, h('span',
      h('b', 'No event can be stored: the disk is full or fails.'),
      ' Events can still be taken. The server’s log names the limit.')),
    said && banner('said', said.failed, h('span', said.words), button('Dismiss', forget)),
  ];
}
