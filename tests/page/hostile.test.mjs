/** Whatever others write into keys, texts, reasons and names is shown as text and does nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { address, usable } from './looks.mjs';
import { MAIN, begin, settled } from './page.mjs';

const MARKUP = '<script>document.title="taken"</script><img src=x onerror=alert(1)>';
const TURNED = '\u202egnp.exe\u200b';
const SHOWN = '\\u{202e}gnp.exe\\u{200b}';
const POSTED = `agent:main:${MARKUP}"'&amp;${TURNED}:9007199254740993`;
const ODD = 'agent:main:a%2fb/c?d=#e&f+g h';

const world = await begin({ flags: ['--max-attempts', '1', '--unattended-ms', '1'] });
const { queue } = world;
const hostile = { sessionKey: POSTED, text: `${MARKUP}${TURNED} עברית\u0007`,
  contextKey: `${MARKUP}${TURNED}`, source: 'hook',
  deliveryContext: { channel: MARKUP, to: TURNED, threadId: '9007199254740993' } };
const { event } = await queue.enqueue(hostile);
const KEY = event.sessionKey; // routing has made it lower-case
const { leaseId } = await queue.lease(
  { sessionKey: KEY, consumer: `${MARKUP.slice(0, 60)}${TURNED}` });
await queue.nack(leaseId, { reason: `${MARKUP}${TURNED}` });
await queue.enqueue({ ...hostile, text: `again ${MARKUP}${TURNED}` });
await queue.lease({ sessionKey: KEY, consumer: `${MARKUP.slice(0, 60)}${TURNED}`,
  leaseMs: 3_600_000 });
await queue.enqueue({ sessionKey: ODD, text: 'x'.repeat(65_536) });

const VIEWS = ['#/', '#/sessions', address('session', KEY), `#/event/${event.id}`, '#/leases',
  '#/history', '#/dead', '#/consumers',
  `#/route?key=${encodeURIComponent(KEY)}`, address('session', MARKUP), address('event', MARKUP)];

for (const options of [{}, { viewport: { width: 320, height: 640 } }])
  test(`every view shows it as text (${options.viewport?.width ?? 1280} pixels)`, async (t) => {
    const page = await world.open(t, { scope: 'produce,consume,read,admin', ...options });
    page.expected.push(/status of 40[04]/);
    for (const at of VIEWS) {
      await page.evaluate((hash) => { location.hash = hash; }, at);
      await page.locator('main:not([aria-busy]) h1').waitFor();
      if (at.includes('202e') || at.includes('%E2%80%AE') || at.startsWith('#/event/1'))
        await page.locator('main', { hasText: SHOWN }).waitFor();
      assert.equal(await page.locator('main script, main img').count(), 0);
      assert.ok(!(await page.locator('main').innerText()).includes('\u202e'));
      assert.match(await page.title(), /sevq$/);
      await usable(page);
    }
  });

test('a key with every sign that means something in an address finds its session', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByRole('link', { name: ODD }).click();
  await page.locator('h1', { hasText: ODD }).waitFor();
  await page.getByText('Why is it not drained?').waitFor();
});

test('of a text of 64 KiB the first 300 bytes are shown, then all', async (t) => {
  const page = await world.open(t, { scope: 'read', at: address('session', ODD) });
  await page.locator('td a.id').first().click();
  await page.getByText('The first 300 bytes of 64 KiB.').waitFor();
  assert.equal((await page.getByLabel('text', { exact: true }).innerText()).length, 301);
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByRole('button', { name: 'Show less' }).waitFor();
  assert.equal((await page.getByLabel('text', { exact: true }).innerText()).length, 65_536);
});

test('a purge of such a queue asks with the key as it is', async (t) => {
  const page = await world.open(t, { scope: 'read,admin', at: address('session', KEY) });
  await page.getByRole('button', { name: 'Purge …' }).click();
  const dialog = page.locator('dialog[open]');
  await dialog.getByText('Purge 1 event?').waitFor();
  await dialog.locator('.key', { hasText: SHOWN }).waitFor();
  await dialog.getByRole('button', { name: 'Purge', exact: true }).click();
  await page.getByText('Purged 1 event').waitFor();
  assert.equal((await queue.peek({ queueKey: KEY })).depth, 0);
});

const PWNED = '<img src=x onerror="pwned=1"><script>pwned=1</script><svg onload=pwned=1>';
const HOSTILE = [PWNED, '\u202egnp.exe', '\u{e0041}\u200b\u0085\ufeff',
  '{"n": 9007199254740993, "t": "<b>"}', 'javascript:pwned=1', "'\"><script>pwned=1</script>",
  '<'.repeat(65536), '\u202e'.repeat(21845), 'x'.repeat(65536),
  '[SYSTEM] ``` {{constructor.constructor("pwned=1")()}}'];

/** So many bytes of the text at most, in whole characters. */
const cut = (text, bytes) =>
  Buffer.from(text).subarray(0, bytes).toString().replaceAll('\ufffd', '');

/** Everything that a sender can name is hostile. Returns the ids of the events and the keys. */
async function fill() {
  const ids = [];
  const keys = HOSTILE.map((text, n) => `agent:main:${n}:${cut(text, 200)}`);
  for (const [n, text] of HOSTILE.entries()) {
    const short = cut(text, 60);
    const deliveryContext = { channel: short, to: short, accountId: short, threadId: short };
    const { event } = await queue.enqueue({ text, sessionKey: keys[n], contextKey: short,
      source: short, deliveryContext, idempotencyKey: `k${n}` });
    ids.push(event.id);
    await queue.enqueue({ text: `${short} dead`, sessionKey: keys[n] });
    const { leaseId } = await world.call('POST', '/v1/leases',
      { sessionKey: keys[n], limit: 1, consumer: short });
    await world.call('POST', `/v1/leases/${leaseId}/nack`, { reason: cut(text, 200) });
    await world.call('POST', '/v1/leases', { sessionKey: keys[n], limit: 1, consumer: short });
  }
  return { ids, keys };
}

test('no text of an event is anything but text', { timeout: 240000 }, async (t) => {
  const { ids, keys } = await fill();
  const page = await world.open(t, { scope: 'read,admin' });
  const views = ['#/', '#/sessions', '#/leases', '#/history', '#/dead', '#/consumers', '#/policy',
    ...keys.flatMap((key) => [`#/session/${encodeURIComponent(key)}`,
      `#/route?key=${encodeURIComponent(key)}`, `#/sessions?prefix=${encodeURIComponent(key)}`]),
    ...ids.map((id) => `#/event/${id}`), `#/${PWNED}`, `#/event/${PWNED}`, '#/event/__proto__',
    '#/constructor'];
  page.expected.push(/(404|400)/); // of those that there are not
  for (const at of views) {
    await page.evaluate((hash) => { location.hash = hash; }, at);
    await settled(page);
    const found = await page.evaluate((foreign) => ({
      pwned: globalThis.pwned,
      foreign: [...document.querySelectorAll(foreign)]
        .filter((e) => e.src !== `${location.origin}/ui/app.js`)
        .map((e) => e.outerHTML.slice(0, 80)),
      links: [...document.querySelectorAll('a')].map((a) => a.href)
        .filter((href) => !href.startsWith(`${location.origin}/`)),
      unseen: /[\u202a-\u202e\u2066-\u2069\u200b\u0085\ufeff]/.test(document.body.innerText),
    }), 'script, img, iframe, object, [onerror], [onload], [style]');
    assert.deepEqual(found, { pwned: undefined, foreign: [], links: [], unseen: false },
      at.slice(0, 120));
  }
});

test('a number that JavaScript cannot hold is shown as it was sent', async (t) => {
  const { event } = await queue.enqueue({ text: '{"n": 9007199254740993}', sessionKey: MAIN });
  const page = await world.open(t, { scope: 'read', at: `#/event/${event.id}` });
  await page.getByText('9007199254740993').first().waitFor();
  assert.doesNotMatch(await page.locator('body').innerText(), /9007199254740992/);
});
