/**
 * What the server tells of by itself. One stream for all tabs of a browser, since a browser opens
 * only six connections to a server: the tab that holds the lock reads it and tells the others.
 * A hidden tab gives the lock up. Where there is no stream, the page asks every five seconds.
 */
import { request, wait } from './kit.js';

const STREAM = { changes: true, coalesceMs: 250 };
const POLLING = 'every 5 s';
const AGAIN_MS = 5000;

let heardBy = () => {};
let channel = null;
let turn = null;
let paused = false;
let leads = false;

export const live = {
  /** In words: "live" if somebody's stream is read, POLLING, or "paused". */
  state: POLLING,

  /**
   * `heard(name, data)` gets what the server tells: "change" and "server", and "state" when the
   * state is another. Tabs share a stream if their tokens see the same (`audience`).
   */
  start(audience, heard) {
    this.stop();
    heardBy = heard;
    channel = new BroadcastChannel(`sevq-live ${audience}`);
    channel.onmessage = ({ data }) => tell(...data);
    takeTurn();
  },

  stop() {
    turn?.abort();
    turn = null;
    channel?.close();
    channel = null;
    become(POLLING);
  },

  get paused() {
    return paused;
  },

  pause(yes) {
    paused = yes;
    takeTurn();
  },
};

document.addEventListener('visibilitychange', takeTurn);

/** Waits for the lock, and reads the stream while it has it. */
function takeTurn() {
  turn?.abort();
  turn = null;
  become(paused ? 'paused' : POLLING);
  if (paused || document.hidden || channel === null || !navigator.locks) return;
  turn = new AbortController();
  const { signal } = turn;
  channel.postMessage(['asks']);
  navigator.locks.request(channel.name, { signal }, () => lead(signal)).catch(() => {});
}

async function lead(signal) {
  leads = true;
  while (!signal.aborted) {
    await read(signal).catch(() => {});
    if (!signal.aborted) share('state', POLLING);
    await wait(AGAIN_MS, signal);
  }
  leads = false;
}

async function read(signal) {
  const answer = await request('GET', '/v1/stream', { query: STREAM, signal });
  share('state', 'live');
  const lines = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await lines.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) hear(block);
  }
}

function hear(block) {
  const [, name, data] = /^event: (change|server)\ndata: (.*)$/m.exec(block) ?? [];
  if (name) share(name, JSON.parse(data));
}

function share(...what) {
  channel?.postMessage(what);
  tell(...what);
}

/** A tab that has come later asks whether there is a stream; the one that reads it answers. */
function tell(name, data) {
  if (name === 'asks') {
    if (leads && live.state === 'live') channel.postMessage(['state', 'live']);
  } else if (name !== 'state') heardBy(name, data);
  else if (!paused) become(data);
}

function become(state) {
  if (live.state === state) return;
  live.state = state;
  heardBy('state', state);
}
