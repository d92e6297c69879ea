/** The page: starts it, and connects address, keyboard, header and stream with the view. */
import { get, post } from './api.js';
import { mode, nextMode, tick } from './clock.js';
import { tell } from './dialog.js';
import { h, render } from './dom.js';
import { duration } from './format.js';
import { KEYS, listen } from './keys.js';
import { live } from './live.js';
import { Page } from './page.js';
import { address, go, route } from './router.js';
import { tokenForm } from './states.js';
import { token } from './token.js';
import { button, muted } from './words.js';
import { consumers } from './consumers.js';
import { dead } from './dead.js';
import { event } from './event.js';
import { history } from './history.js';
import { leases } from './leases.js';
import { overview } from './overview.js';
import { policy } from './policy.js';
import { routing } from './routing.js';
import { session } from './session.js';
import { sessions } from './sessions.js';

const VIEWS = { __proto__: null, '': overview, sessions, session, event, leases, history, dead, consumers,
  route: routing, policy };
const NAMES = { '': 'Overview', sessions: 'Sessions', dead: 'Dead letters', history: 'History', leases: 'Leases',
  consumers: 'Consumers', route: 'Route', policy: 'Policy' };
const STATES = { live: 'live', polling: 'every 5 s', paused: 'paused' };

const AGAIN_MS = 5000;

const by = (id) => document.getElementById(id);
const page = new Page(VIEWS, ({ detail, title }) => askForToken(detail || title));

async function start() {
  const code = token.takeCode();
  wire();
  const why = code === null ? null : await trade(code);
  if (code === null) await token.askOthers();
  if (why !== null || (code === null && token.text === null)) askForToken(why);
  else await enter();
}

/** Gets a token for the code that the page was opened with; null, or why there is none. */
async function trade(code) {
  try {
    token.keep((await post('/v1/page-sessions', { code })).token);
    return null;
  } catch ({ status }) {
    return status === 0 ? 'The server does not answer.' :
      'The link that opened this page was used before, or is over a minute old. Run sevq page again.';
  }
}

async function enter() {
  try {
    const { scopes, agents } = await get('/v1/whoami');
    Object.assign(page, { scopes, whole: agents === null });
    live.start(JSON.stringify(agents), hear);
  } catch (problem) {
    if (problem.status === 401) {
      askForToken(problem.detail);
      return;
    }
    setTimeout(enter, AGAIN_MS);
  }
  page.visit();
}

function askForToken(why) {
  token.forget();
  live.stop();
  page.leave();
  document.title = 'sevq';
  render(by('main'), tokenForm(why, (text) => {
    token.keep(text);
    enter();
  }));
  by('main').querySelector('input').focus();
}

/** What the stream tells. */
function hear(name, data) {
  if (name === 'change') page.change(data);
  else if (name === 'server') page.full = !data.ready;
  if (name !== 'change') page.loadSoon();
  drawFreshness();
}

function wire() {
  addEventListener('hashchange', () => {
    if (location.hash.startsWith('#code=')) location.reload(); // begins anew, with the code
    drawNames();
    if (page.here !== null) page.visit();
  });
  document.addEventListener('visibilitychange', () => page.tick());
  by('skip').onclick = () => by('main').focus();
  by('find').onsubmit = find;
  listen({ go: (name) => go(address(name)), find: () => by('find-box').focus(), pause, times, help });
  setInterval(() => {
    page.tick();
    tick();
    drawFreshness();
  }, 1000);
  drawNames();
  drawFreshness();
}

function drawNames() {
  const { name } = route();
  render(by('views'), Object.entries(NAMES).map(([one, text]) =>
    h('a', { href: address(one), 'aria-current': one === name && 'page' }, text)));
}

function drawFreshness() {
  const age = page.loadedAt !== null && duration(Date.now() - page.loadedAt);
  render(by('freshness'),
    age && h(page.stale ? 'span.stale' : 'span', `updated ${age} ago`), muted(STATES[live.state]),
    button(live.paused ? 'Go on' : 'Pause', pause), button(mode(), times, { title: 'how times are shown' }),
    button('?', help, { 'aria-label': 'keys' }));
}

/** Digits are an event, anything else is a session's key. */
function find(submitted) {
  submitted.preventDefault();
  const box = by('find-box');
  const text = box.value.trim();
  box.value = '';
  box.blur();
  if (text !== '') go(address(/^\d+$/.test(text) ? 'event' : 'session', text));
}

function pause() {
  live.pause(!live.paused);
  if (!live.paused) page.refresh();
  drawFreshness();
}

function times() {
  nextMode();
  drawFreshness();
}

function help() {
  tell('Keys', h('dl.keys', KEYS.map(([key, does]) => [h('dt', h('kbd', key)), h('dd', does)])));
}

start();
