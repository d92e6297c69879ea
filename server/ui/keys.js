/**
 * The keyboard. Everything that a key does, a link or a button does too.
 *
 * In lists j and k go from row to row, to the first link in each, so that Enter follows it.
 */
const ROWS = '[data-rows] > tbody > tr, [data-rows] > li';
const GO_MS = 1500;

export const KEYS = {
  '/': 'find an event or a session',
  'g o, g s, …': 'go to the view that begins with o, s, …',
  'j, k': 'next, previous row',
  Enter: 'open the row',
  x: 'choose the row',
  p: 'pause, go on',
  t: 'relative, local, UTC times',
  Esc: 'leave a dialog or a field',
  '?': 'this help',
};

let goes = -Infinity;

/** commands: {go(letter): whether there is such a view, find(), pause(), times(), help()}. */
export function listen(commands) {
  document.addEventListener('keydown', (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const writes = target.matches('textarea, select, input:not([type=checkbox])');
    if (writes && key === 'Escape') target.blur();
    if (writes || document.querySelector('dialog[open]')) return;
    if (handle(key, commands)) event.preventDefault();
  });
}

function handle(key, { go, find, pause, times, help }) {
  const second = performance.now() - goes < GO_MS;
  goes = -Infinity;
  if (second && go(key)) return true;
  const doing = {
    g: () => { goes = performance.now(); },
    j: () => step(1),
    k: () => step(-1),
    x: () => current()?.querySelector('input[type=checkbox]')?.click(),
    '/': find, p: pause, t: times, '?': help,
  }[key];
  doing?.();
  return doing !== undefined;
}

const current = () => document.activeElement?.closest(ROWS);

function step(by) {
  const rows = [...document.querySelectorAll(ROWS)];
  const at = rows.indexOf(current());
  const next = at < 0 ? rows.at(Math.min(0, by)) : rows[at + by];
  next?.querySelector('a, button, input')?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}
