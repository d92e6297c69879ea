/** Events in and out, a second: what this tab has seen of the server's counters. */
import { h, svg } from './dom.js';
import { perSecond } from './format.js';

const KEEP_MS = 5 * 60_000;
const APART_MS = 500;
const WIDTH = 240;
const HEIGHT = 36;
const OUT = ['drained', 'consumed', 'acked', 'withdrawn', 'purged', 'replaced', 'evicted', 'expired', 'dead'];

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
  if (samples.length < 2) return h('p.muted', 'Events a second: in a few seconds.');
  const [ins, outs] = [speeds('in'), speeds('out')];
  const top = Math.max(...ins, ...outs);
  const scale = Math.max(1, top);
  const words = `in ${perSecond(ins.at(-1))}, out ${perSecond(outs.at(-1))}`;
  return h('figure.rates',
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `Events a second: ${words}` },
      svg('polyline', { class: 'in', points: points(ins, scale) }),
      svg('polyline', { class: 'out', points: points(outs, scale) })),
    h('figcaption', h('span.in', 'in ', h('b', perSecond(ins.at(-1)))), h('span.out', 'out ', h('b', perSecond(outs.at(-1)))),
      h('span.muted', `highest ${perSecond(top)} in ${Math.ceil((samples.at(-1).at - samples[0].at) / 60_000)} min`)));
}

const speeds = (name) => samples.slice(1).map((one, i) =>
  Math.max(0, (one[name] - samples[i][name]) * 1000 / (one.at - samples[i].at)));

function points(values, top) {
  const end = samples.at(-1).at;
  return values.map((value, i) => {
    const x = WIDTH - (end - samples[i + 1].at) / KEEP_MS * WIDTH;
    return `${x.toFixed(1)},${(HEIGHT - 2 - value / top * (HEIGHT - 4)).toFixed(1)}`;
  }).join(' ');
}
