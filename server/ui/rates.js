/** Events in and out, a second: what this tab has seen of the server's counters. */
import { h, muted, perSecond, svg } from './kit.js';

const KEEP_MS = 5 * 60_000;
const APART_MS = 500;
const WIDTH = 480;
const HEIGHT = 48;
const OUT = ['drained', 'consumed', 'acked', 'withdrawn', 'purged', 'replaced', 'evicted',
  'expired', 'dead'];

let samples = [];

/** Takes over the counters; after a restart of the server they begin anew. */
export function note({ uptimeMs: at, events }) {
  const one = { at, in: events.enqueued, out: OUT.reduce((sum, name) => sum + events[name], 0) };
  const last = samples.at(-1);
  if (last && (at < last.at || one.in < last.in)) samples = [];
  else if (last && at - last.at < APART_MS) return;
  samples = [...samples, one].filter((each) => at - each.at <= KEEP_MS);
}

/** Two lines over the last five minutes and what they are now, or what is missing for them. */
export function rates() {
  if (samples.length < 2) return h('p', muted('Events a second: in a few seconds.'));
  const lines = ['in', 'out'].map((name) => [name, speeds(name)]);
  const top = Math.max(...lines.flatMap(([, values]) => values));
  return h('figure.rates',
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': 'events a second' },
      lines.map(([name, values]) => svg('polyline', { class: name, points: points(values, top) }))),
    h('figcaption', lines.map(([name, values]) =>
      h(`span.${name}`, `${name} `, h('b', perSecond(values.at(-1))))),
    muted(`highest ${perSecond(top)} in ${Math.ceil((end() - samples[0].at) / 60_000)} min`)));
}

const end = () => samples.at(-1).at;

const speeds = (name) => samples.slice(1).map((one, i) =>
  Math.max(0, (one[name] - samples[i][name]) * 1000 / (one.at - samples[i].at)));

const points = (values, top) => values.map((value, i) => [
  WIDTH - (end() - samples[i + 1].at) / KEEP_MS * WIDTH,
  HEIGHT - 2 - value / Math.max(1, top) * (HEIGHT - 4),
].map((n) => n.toFixed(1))).join(' ');
