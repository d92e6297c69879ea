/** The page follows the server: by one stream for all tabs, and never under the reader's hands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { address } from './looks.mjs';
import { MAIN, begin, settled, until } from './page.mjs';

const world = await begin();
const { queue, server } = world;

const streams = async () => (await server.stats()).http.streams;

/** The same in many events: what the page has on screen must follow. */
async function post(n, sessionKey = MAIN) {
  for (let i = 0; i < n; i += 1)
    await queue.enqueue({ sessionKey, text: `event ${i}`, allowDuplicate: true });
}

/** Lets no further list of sessions be answered: what is shown then comes from the stream. */
const stopLists = (page) => page.route('**/v1/sessions?*', () => {});
const ready = (page, n) => page.locator('td[data-name=Ready]', { hasText: new RegExp(`^${n}$`) });

test('what is posted appears by itself, before the page asks again', async (t) => {
  await post(1, 'agent:main:new');
  const page = await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:main:new' });
  await page.getByText('live').waitFor();
  await ready(page, 1).waitFor();
  await stopLists(page);
  await post(1, 'agent:main:new');
  await ready(page, 2).waitFor();
});

test('a dialog, its focus and what was typed survive fifty updates', async (t) => {
  await post(150, 'agent:main:busy');
  const at = address('session', 'agent:main:busy');
  const page = await world.open(t, { scope: 'read,admin', at });
  await page.getByRole('button', { name: 'Purge …' }).click();
  await page.getByLabel('Type 150 to confirm').fill('15');
  const before = await page.evaluate(() => {
    globalThis.kept = document.activeElement;
    return document.querySelector('dialog').innerText;
  });
  for (let i = 0; i < 50; i += 1) await post(1, 'agent:main:busy');
  await page.locator('.figures', { hasText: '200 ready' }).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector('dialog').innerText), before);
  assert.ok(await page.evaluate(() => document.activeElement === kept && kept.value === '15'));
});

test('a row with the focus stays where it is, and once gone until it is left', async (t) => {
  for (const name of ['b', 'd', 'f']) await post(1, `agent:row:${name}`);
  const page = await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:row:' });
  const link = page.getByRole('link', { name: 'agent:row:d' });
  await link.focus();
  await page.evaluate(() => { globalThis.kept = document.activeElement; });
  for (const name of ['a', 'c', 'e']) await post(1, `agent:row:${name}`);
  await queue.drain({ sessionKey: 'agent:row:b' });
  await page.getByText('5 sessions').waitFor();
  assert.ok(await page.evaluate(() => document.activeElement === kept));
  await queue.drain({ sessionKey: 'agent:row:d' });
  await page.getByText('4 sessions').waitFor();
  assert.ok(await page.evaluate(() => document.activeElement === kept &&
    kept.closest('tr').className === 'gone'));
  await page.getByLabel('Key contains').focus();
  await link.waitFor({ state: 'detached' });
  const order = await page.locator('tbody tr td:first-child a').allInnerTexts();
  assert.deepEqual(order, ['a', 'c', 'e', 'f'].map((name) => `agent:row:${name}`));
});

test('a selection stays while the page is updated', async (t) => {
  await post(1, 'agent:chosen:text');
  const page = await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:chosen:' });
  await page.getByRole('link', { name: 'agent:chosen:text' }).waitFor();
  await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('td a')));
  await post(2, 'agent:chosen:text');
  await page.locator('[data-name=Ready]', { hasText: '3' }).waitFor();
  assert.equal(await page.evaluate(() => getSelection().toString()), 'agent:chosen:text');
});

test('eight tabs cost one stream, and all of them follow', async (t) => {
  const context = await world.profile(t);
  const opened = async () => (await server.stats()).http.streamsOpened;
  const at = '#/sessions?prefix=agent:tabs';
  const before = await opened();
  const pages = [];
  await post(1, 'agent:tabs:main');
  for (let i = 0; i < 8; i += 1) pages.push(await world.open(t, { scope: 'read', at, context }));
  for (const page of pages) {
    await page.getByText('live').waitFor();
    await ready(page, 1).waitFor();
    await stopLists(page);
  }
  assert.deepEqual([await streams(), await opened()], [1, before + 1]);
  await post(1, 'agent:tabs:main');
  for (const page of pages) await ready(page, 2).waitFor();
  const reads = ({ requests }) => requests.some((one) => one.url().includes('/v1/stream'));
  const [reader] = pages.splice(pages.findIndex(reads), 1);
  assert.deepEqual(pages.filter(reads), []);
  await reader.close();
  await until(async () => (await opened()) === before + 2, 'another tab to read the stream');
  await until(async () => (await streams()) === 1, 'one stream');
  await post(1, 'agent:tabs:main');
  for (const page of pages) await ready(page, 3).waitFor();
});

test('a hidden tab asks for nothing and gives the stream up', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByText('live').waitFor();
  await settled(page);
  await page.clock.install();
  const hide = (hidden) => page.evaluate((now) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => now });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await until(async () => (await streams()) === 0, 'the stream to end');
  const asked = page.requests.length;
  await page.clock.runFor(60_000);
  assert.deepEqual(page.requests.slice(asked).map((one) => one.url()), []);
  await hide(false);
  await until(async () => (await streams()) === 1, 'the stream to begin');
});

test('many changes set few timers', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:timers:' });
  await page.getByText('live').waitFor();
  await page.evaluate(() => {
    const real = setTimeout;
    globalThis.timers = 0;
    globalThis.setTimeout = (...what) => {
      timers += 1;
      return real(...what);
    };
  });
  for (let i = 0; i < 60; i += 1) await post(1, `agent:timers:${i}`);
  await page.getByText('60 sessions').waitFor();
  assert.ok(await page.evaluate(() => timers) < 30, `${await page.evaluate(() => timers)} timers`);
});

test('a pause stops everything until it is over', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:pause' });
  await page.getByText('live').waitFor();
  await page.keyboard.press('p');
  await page.getByText('paused').waitFor();
  await until(async () => (await streams()) === 0, 'the stream to end');
  await post(1, 'agent:pause:main');
  // ten seconds later it still shows nothing, and says how old that is
  await page.locator('#freshness .warn').waitFor();
  assert.equal(await page.getByRole('link', { name: 'agent:pause:main' }).count(), 0);
  await page.keyboard.press('p');
  await page.getByRole('link', { name: 'agent:pause:main' }).waitFor();
});
