/** The page: starts it, and connects address, keyboard, header and stream with the view. */
import { tell } from './dialog.js';
import { KEYS, listen } from './keys.js';
import { address, button, details, duration, get, go, h, mode, muted, nextMode, post, render,
  route, tick, tokenForm } from './kit.js';
import { live } from './live.js';
import { Page } from './page.js';
import { token } from './token.js';
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

const VIEWS = { __proto__: null, '': overview, sessions, dead, history, leases, consumers,
  route: routing, policy, session, event };

const AGAIN_MS = 5000;

const by = (id) => document.getElementById(id);
const page = new Page(VIEWS, ({ detail, title }) => askForToken(detail || title));

async function start() {
  const code = token.takeCode();
  wire();
  if (code === null) await token.askOthers();
  const why = code && await trade(code);
  if (why || !(code || token.text)) askForToken(why);
  else await enter();
}

/** Gets a token for the code that the page was opened with, or tells why there is none. */
const trade = (code) => post('/v1/page-sessions', { code }).then(
  (answer) => token.keep(answer.token),
  ({ status }) => (status === 0 ? 'The server does not answer.' :
    'This link was used before, or is too old: run sevq page again.'));

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
    // begins anew, with the code
    if (location.hash.startsWith('#code=')) location.reload();
    drawNames();
    if (page.here !== null) page.visit();
  });
  document.addEventListener('visibilitychange', () => page.tick());
  by('find').onsubmit = find;
  listen({ go: goTo, find: () => by('find-box').focus(), pause, times, help });
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
  render(by('views'), Object.entries(VIEWS).map(([one, { title }]) =>
    !title.call && h('a', { href: address(one), 'aria-current': one === name && 'page' }, title)));
}

function drawFreshness() {
  const age = page.loadedAt !== null && duration(Date.now() - page.loadedAt);
  render(by('freshness'),
    age && h(page.stale ? 'span.warn' : 'span', `updated ${age} ago`), muted(live.state),
    button(live.paused ? 'Go on' : 'Pause', pause),
    button(mode(), times, { title: 'how times are shown' }),
    button('?', help, { 'aria-label': 'keys' }));
}

/** Goes to the view whose title begins with the letter; false if there is none. */
function goTo(letter) {
  const found = Object.keys(VIEWS).find((name) => VIEWS[name].title[0]?.toLowerCase() === letter);
  if (found !== undefined) go(address(found));
  return found !== undefined;
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
  const rows = Object.entries(KEYS).map(([key, does]) => [h('kbd', key), does]);
  tell('Keys', details(rows));
}

start();
