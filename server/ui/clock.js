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
const DATE_STEP_MS = 1500; // the header Date counts whole seconds

let skewMs = 0;

export const now = () => Date.now() + skewMs;

export function heard(date) {
  const differsBy = Date.parse(date) - Date.now();
  if (Number.isFinite(differsBy)) skewMs = Math.abs(differsBy) > DATE_STEP_MS ? differsBy : 0;
}

export function mode() {
  const kept = localStorage.getItem(KEPT);
  return MODES.includes(kept) ? kept : MODES[0];
}

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

function time(ts, form) {
  if (ts === null || ts === undefined) return '–';
  return h('time', { datetime: iso(ts), 'data-ts': ts, 'data-form': form,
    title: absolute(ts, 'UTC', true) }, said(ts, form));
}

export function tick() {
  for (const element of document.querySelectorAll('time[data-ts]')) {
    const text = said(Number(element.dataset.ts), element.dataset.form);
    if (element.textContent !== text && !selected(element)) element.textContent = text;
  }
}

const selected = (element) => !element.contains(document.activeElement) && inUse(element);

function said(ts, form) {
  const ago = now() - ts;
  if (form === 'since') return duration(ago);
  if (form === 'until') return ago >= 0 ? 'ended' : duration(-ago + 999);
  if (mode() !== 'relative') return absolute(ts, mode(), false);
  if (ago < -999) return `in ${duration(-ago)}`;
  return ago < 1000 ? 'now' : `${duration(ago)} ago`;
}

/** "2026-11-22 17:10:31", with milliseconds and the zone if exact. */
export function absolute(ts, zone, exact) {
  const shift = zone === 'UTC' ? 0 : new Date(ts).getTimezoneOffset() * 60_000;
  const text = iso(ts - shift).replace('T', ' ').slice(0, exact ? 23 : 19);
  return exact ? `${text} ${zone}` : text;
}

function iso(ts) {
  const date = new Date(ts);
  return Number.isNaN(date.getTime()) ? String(ts) : date.toISOString();
}
