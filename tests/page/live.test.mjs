/** The page follows the server: by one stream for all tabs, and never under the reader's hands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { address } from './looks.mjs';
import { MAIN, begin, until } from './page.mjs';

const world = await begin();
const { queue, server } = world;

const streams = async () => (await server.call('GET', '/v1/stats')).http.streams;

/** The same in many events: what the page has on screen must follow. */
async function post(n, sessionKey = MAIN) {
  for (let i = 0; i < n; i += 1) await queue.enqueue({ sessionKey, text: `event ${i}`, allowDuplicate: true });
}

test('what is posted appears by itself, without being asked for every few seconds', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByText('live').waitFor();
  await post(1, 'agent:main:new');
  await page.getByRole('link', { name: 'agent:main:new' }).waitFor();
});

test('a dialog, its focus and what was typed survive fifty updates', async (t) => {
  await post(150, 'agent:main:busy');
  const page = await world.open(t, { scope: 'read,admin', at: address('session', 'agent:main:busy') });
  await page.getByRole('button', { name: 'Purge …' }).click();
  await page.getByLabel('Type 150 to confirm').fill('15');
  const before = await page.evaluate(() => { globalThis.kept = document.activeElement; return document.querySelector('dialog').innerText; });
  for (let i = 0; i < 50; i += 1) await post(1, 'agent:main:busy');
  await page.locator('.figures', { hasText: '200 ready' }).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector('dialog').innerText), before);
  assert.ok(await page.evaluate(() => document.activeElement === kept && kept.value === '15'));
});

test('a row with the focus stays while others come and go; gone, it stays until it is left', async (t) => {
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
  assert.ok(await page.evaluate(() => document.activeElement === kept && kept.closest('tr').className === 'gone'));
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
  const pages = [];
  for (let i = 0; i < 8; i += 1) pages.push(await world.open(t, { scope: 'read', at: '#/sessions?prefix=agent:tabs', context }));
  for (const page of pages) await page.getByText('live').waitFor();
  assert.equal(await streams(), 1);
  await post(1, 'agent:tabs:main');
  for (const page of pages) await page.getByRole('link', { name: 'agent:tabs:main' }).waitFor();
  await pages[0].close();
  await until(async () => (await streams()) === 1, 'another tab to read the stream');
  await post(1, 'agent:tabs:after');
  for (const page of pages.slice(1)) await page.getByRole('link', { name: 'agent:tabs:after' }).waitFor();
});

test('a hidden tab asks for nothing and gives the stream up', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByText('live').waitFor();
  const hide = (hidden) => page.evaluate((now) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => now });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await hide(true);
  await until(async () => (await streams()) === 0, 'the stream to end');
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
  await page.locator('#freshness .warn').waitFor(); // ten seconds later it still shows nothing, and says how old that is
  assert.equal(await page.getByRole('link', { name: 'agent:pause:main' }).count(), 0);
  await page.keyboard.press('p');
  await page.getByRole('link', { name: 'agent:pause:main' }).waitFor();
});
