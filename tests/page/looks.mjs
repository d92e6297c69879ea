/** What tests of the page's views share: events to look at, and what every view must be. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { AXE } from './page.mjs';

export const CHAT = 'agent:main:telegram:default:direct:123';
export const ONE_OWNER = { session: { dmScope: 'main' },
  channels: { telegram: { allowFrom: ['123'] } } };
export const TWO_OWNERS = { session: { dmScope: 'main' },
  channels: { telegram: { allowFrom: ['123', '456'] } } };
export const MANUAL = ['--no-watch-policy', '--no-rekey-on-reload'];

export const address = (view, id) => `#/${view}/${encodeURIComponent(id)}`;

/** Adopts another policy. */
export async function adopt(server, policy) {
  server.writePolicy(policy);
  await server.call('POST', '/v1/policy/reload', {});
}

/** Makes n events of a session dead letters, with this reason, under --max-attempts 1. */
export async function kill(queue, sessionKey, n, reason) {
  for (let i = 0; i < n; i += 1)
    await queue.enqueue({ sessionKey, text: `message ${i}`, allowDuplicate: true });
  const { leaseId } = await queue.lease({ sessionKey, limit: n, consumer: 'runner' });
  await queue.nack(leaseId, { reason });
}

/** Nothing that people cannot use, and nothing that is wider than the window. */
export async function usable(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await axe.run(document)).violations
    .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0].html}`));
  assert.deepEqual(found, []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
    'wider than the window');
}

/** A screenshot in build/shots, if SHOTS is set; they are to be looked at, not compared. */
export async function shoot(page, name) {
  if (!process.env.SHOTS) return;
  const folder = path.join(process.env.SOURCES, 'build/shots');
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}
