/**
 * The keyboard. Everything that a key does, a link or a button does too.
 *
 * In lists j and k go from row to row, to the first link in each, so that Enter follows it.
 */
const ROWS = '[data-rows] > tbody > tr, [data-rows] > li';
const GO_MS = 1500;

export const KEYS = [
  ['/', 'find an event or a session'],
  ['g then o, s, d, h, l, c, r, p', 'go to overview, sessions, dead letters, history, leases, consumers, route, policy'],
  ['j, k', 'next, previous row'],
  ['Enter', 'open the row'],
  ['x', 'choose the row'],
  ['p', 'pause, go on'],
  ['t', 'relative, local, UTC times'],
  ['Esc', 'leave a dialog or the box for finding'],
  ['?', 'this help'],
];

const PLACES = { o: '', s: 'sessions', d: 'dead', h: 'history', l: 'leases', c: 'consumers', r: 'route', p: 'policy' };

let goes = -Infinity;

/** commands: {go(name), find(), pause(), times(), help()}. */
export function listen(commands) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === 'Escape') leave(event.target);
    if (document.querySelector('dialog[open]') || writes(event.target)) return;
    if (handle(event.key, commands)) event.preventDefault();
  });
}

const writes = (target) => target.matches('textarea, select, input:not([type=checkbox])');

function leave(target) {
  if (writes(target)) target.blur();
}

function handle(key, commands) {
  if (performance.now() - goes < GO_MS && key in PLACES) {
    goes = -Infinity;
    commands.go(PLACES[key]);
    return true;
  }
  const doing = {
    g: () => { goes = performance.now(); },
    j: () => step(1),
    k: () => step(-1),
    x: () => current()?.querySelector('input[type=checkbox]')?.click(),
    '/': commands.find,
    p: commands.pause,
    t: commands.times,
    '?': commands.help,
  }[key];
  doing?.();
  return doing !== undefined;
}

const current = () => document.activeElement?.closest(ROWS) ?? null;

function step(by) {
  const rows = [...document.querySelectorAll(ROWS)];
  const at = rows.indexOf(current());
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  next?.querySelector('a, button, input')?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}
