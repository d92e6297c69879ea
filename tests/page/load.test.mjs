/** The page loads in a browser, and nothing goes wrong while it does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { begin, until } from './page.mjs';

const world = await begin();

test('anybody can load the page, which says that it is sevq', async (t) => {
  const page = await world.open(t);
  await page.waitForLoadState('networkidle');
  assert.match(await page.title(), /sevq/);
  assert.ok((await page.locator('body').innerText()).includes('sevq'));
});

test('it is watched: what it must not do is noticed', async (t) => {
  const page = await world.open(t);
  await page.evaluate(() => {
    console.error('a');
    const script = document.createElement('script');
    try {
      script.text = 'document.title = "b"';
    } catch {
      // trusted types refuse it, and report it
    }
    fetch('http://127.0.0.1:1/').catch(() => {});
  });
  page.expected.push(/./);
  for (const wanted of ['console: a', 'security policy: require-trusted-types-for',
    'security policy: connect-src']) {
    await until(() => page.faults.some((fault) => fault.startsWith(wanted)), wanted);
  }
});
