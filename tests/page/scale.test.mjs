/**
 * The page with many sessions, many events in one, and many changes: how long a refresh takes, and
 * what an open page costs the server. The figures are printed.
 *
 * SEVQ_PAGE_SCALE=full: 100,000 sessions and 10,000 events in one; without it a twentieth of that.
 * Times and shares are asserted only in full, where they are promised; what is counted, always.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { begin, settled, until } from './page.mjs';

const full = process.env.SEVQ_PAGE_SCALE === 'full';
const SESSIONS = full ? 100_000 : 5_000;
const EVENTS = full ? 10_000 : 500;
const WATCHED_MS = full ? 20_000 : 4_000;
const TABS = full ? 8 : 3;
const BATCH = 1000;
const CHANGES_A_SECOND = 50;
const REFRESH_MS = 200;
const SHARE = 0.02;
const BIG = 'agent:main:big';

const world = await begin({ flags: ['--max-sessions', '200000', '--max-pending', '20000'] });
const { server, queue } = world;
const say = (words) => console.log(`# ${words}`);

async function fill(count, eventOf) {
  for (let n = 0; n < count; n += BATCH) {
    const many = Math.min(BATCH, count - n);
    await queue.enqueueBatch(Array.from({ length: many }, (_, k) => eventOf(n + k)));
  }
}

await fill(SESSIONS, (n) => ({ text: `event ${n}`, sessionKey: `agent:main:${n}` }));
await fill(EVENTS, (n) => ({ text: `event ${n}`, sessionKey: BIG, allowDuplicate: true }));

/** Changes a queue so many times a second while work() goes on. Returns what that has cost. */
async function changing(work) {
  let stop = false;
  let changes = 0;
  const began = performance.now();
  const cpuBefore = server.cpuSeconds();
  const changer = (async () => {
    while (!stop) {
      const sessionKey = changes % 4 < 2 ? BIG : `agent:main:${changes % 100}`;
      if (changes % 2 === 0) await queue.enqueue({ text: `change ${changes}`, sessionKey });
      else await world.call('POST', '/v1/drain', { sessionKey, limit: 1 });
      changes++;
      const due = began + (changes * 1000) / CHANGES_A_SECOND;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
  })();
  await work();
  stop = true;
  await changer;
  const seconds = (performance.now() - began) / 1000;
  return { seconds, perSecond: changes / seconds,
    share: (server.cpuSeconds() - cpuBefore) / seconds };
}

const watched = () => new Promise((resolve) => setTimeout(resolve, WATCHED_MS));

/** Goes to a view; milliseconds until it is drawn. */
const visit = (page, at, title) => page.evaluate(({ at, title }) => new Promise((resolve) => {
  const began = performance.now();
  const look = () => {
    const main = document.querySelector('main');
    const there = main.querySelector('h1')?.textContent.includes(title) &&
      !main.hasAttribute('aria-busy');
    if (there) resolve(performance.now() - began);
    else requestAnimationFrame(look);
  };
  location.hash = at;
  requestAnimationFrame(look);
}), { at, title });

const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)];

const VIEWS = [['#/', 'What is wrong'], ['#/sessions', 'Sessions'],
  [`#/session/${encodeURIComponent(BIG)}`, 'big'], ['#/history', 'History'],
  ['#/dead', 'Dead letters']];

test('a view is there at once, while much changes', { timeout: 240000 }, async (t) => {
  const page = await world.open(t, { scope: 'read' });
  await settled(page);
  const times = new Map(VIEWS.map(([at]) => [at, []]));
  const load = await changing(async () => {
    for (let round = 0; round < (full ? 9 : 3); round++)
      for (const [at, title] of VIEWS) times.get(at).push(await visit(page, at, title));
  });
  const perSecond = load.perSecond.toFixed(1);
  say(`${SESSIONS} sessions, ${EVENTS} events in one, ${perSecond} changes a second`);
  for (const [at, taken] of times) {
    say(`${at}: ${median(taken).toFixed(0)} ms, at most ${Math.max(...taken).toFixed(0)} ms`);
  }
  for (const [at, taken] of full ? times : [])
    assert.ok(median(taken) < REFRESH_MS, `${at}: ${median(taken)} ms`);
});

test('a page left open shows what changes and costs little', { timeout: 240000 }, async (t) => {
  const alone = await changing(watched);
  const page = await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:main:big' });
  await settled(page);
  const before = page.requests.length;
  const seen = await changing(watched);
  const asked = page.requests.length - before;
  const share = seen.share - alone.share;
  const percent = (part) => `${(100 * part).toFixed(2)}%`;
  say(`one open page: ${percent(share)} of a core (with it ${percent(seen.share)}, without ` +
    `${percent(alone.share)}), ${asked} requests in ${seen.seconds.toFixed(1)} s, ` +
    `${seen.perSecond.toFixed(1)} changes a second`);
  assert.ok(asked <= seen.seconds + 2, `${asked} requests`);
  if (full) assert.ok(share < SHARE, `${100 * share}% of a core`);
  const { depth } = (await world.call('GET', '/v1/events', { sessionKey: BIG, limit: 1 }));
  const shown = async () =>
    (await page.locator('main tbody').innerText()).replaceAll(/[,.\s\u202f]/g, '');
  await until(async () => (await shown()).includes(String(depth)), `the depth ${depth} to be shown`,
    120000);
});

test(`${TABS} tabs read one stream, whichever is closed`, { timeout: 240000 }, async (t) => {
  const context = await world.profile(t);
  const http = async () => (await server.stats()).http;
  const before = await http();
  const pages = [];
  for (let n = 0; n < TABS; n++)
    pages.push(await world.open(t, { context, scope: 'read', at: '#/leases' }));
  const states = (some) => Promise.all(some.map((page) => page.locator('#freshness').innerText()));
  const live = async (some) => (await states(some)).every((state) => /\blive\b/.test(state));
  await until(() => live(pages), 'every tab to be live', 60000);
  const opened = pages.map((page) =>
    page.requests.filter((request) => request.url().includes('/v1/stream')).length);
  const { streams, streamsOpened } = await http();
  say(`${TABS} tabs: ${streams} stream, which the tabs have opened ${opened} times`);
  assert.deepEqual([streams, streamsOpened - before.streamsOpened], [1, 1]);
  const [reader] = pages.splice(opened.indexOf(1), 1);
  await reader.close();
  await until(async () => (await http()).streamsOpened === streamsOpened + 1,
    'another tab to read it');
  await until(() => live(pages), `the others to be live`, 60000);
  assert.equal((await http()).streams, 1);
});
