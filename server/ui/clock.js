/**
 * Times: relative, local or UTC as the reader chose, always with the absolute time in the title.
 * Each is a <time> that `tick` brings up to date every second, wherever it is on the page.
 *
 * The server's clock counts: `heard` learns from its answers how far this one is from it.
 */
import { duration } from './format.js';
import { h, inUse } from './dom.js';

const KEPT = 'sevq-times';
const MODES = ['relative', 'local', 'UTC'];
// the header Date counts whole seconds
const DATE_STEP_MS = 1500;

let skewMs = 0;

export const now = () => Date.now() + skewMs;

export function heard(date) {
  const differsBy = Date.parse(date) - Date.now();
  if (Number.isFinite(differsBy)) skewMs = Math.abs(differsBy) > DATE_STEP_MS ? differsBy : 0;
}

export const mode = () => localStorage.getItem(KEPT) ?? MODES[0];

export function nextMode() {
  localStorage.setItem(KEPT, MODES[(MODES.indexOf(mode()) + 1) % MODES.length]);
  tick();
}

/** Ends after so long, or when the signal is aborted. */
export function wait(ms, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, signal.aborted ? 0 : ms);
    signal.addEventListener('abort', resolve);
  });
}

/** When something happened, or will. */
export const moment = (ts) => time(ts, 'moment');
/** For how long: always a duration. */
export const since = (ts) => time(ts, 'since');
/** How long until then: always a duration. */
export const until = (ts) => time(ts, 'until');

const time = (ts, form) => ((ts ?? null) === null ? '–' : h('time', { 'data-ts': ts,
  'data-form': form, title: iso(ts).replace('Z', ' UTC') }, said(ts, form)));

export function tick() {
  for (const element of document.querySelectorAll('time[data-ts]')) {
    const text = said(Number(element.dataset.ts), element.dataset.form);
    if (element.textContent !== text && !inUse(element)) element.textContent = text;
  }
}

function said(ts, form) {
  const ago = now() - ts;
  if (form === 'since') return duration(ago);
  if (form === 'until') return ago >= 0 ? 'ended' : duration(-ago + 999);
  if (mode() !== 'relative') return absolute(ts).slice(0, 19);
  if (ago < -999) return `in ${duration(-ago)}`;
  return ago < 1000 ? 'now' : `${duration(ago)} ago`;
}

const absolute = (ts) =>
  iso(mode() === 'UTC' ? ts : ts - new Date(ts).getTimezoneOffset() * 60_000);

/** "2026-11-22 17:10:31.000Z" */
const iso = (ts) => new Date(ts).toISOString().replace('T', ' ');
