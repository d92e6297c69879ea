/**
 * Makes the picture of the README: node tests/page/screenshot.mjs [doc/page.png]
 *
 * On the debug build, with data made by the API: a day of an agent whose owner was added to the
 * policy, after which one queue was stranded, while nobody drains another. `./check page` installs
 * what it needs.
 */
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
process.env.SOURCES ??= top;
process.env.SEVQD ??= `${top}/build/debug/server/sevqd`;
process.env.SEVQ_MJS ??= `${top}/client/node/sevq.mjs`;
process.env.PAGE ??= `${top}/build/page`;
process.env.CHROMIUM ??= '/usr/bin/chromium';
const { launch, Server, settled, until, World } = await import('./page.mjs');

const picture = process.argv[2] ?? `${top}/doc/page.png`;
const TELEGRAM = 'agent:main:telegram:default:direct:4817263';
const OPS = 'agent:ops:main';
const BYTES_MAX = 200 * 1024;
const ACTIVE_MS = 40_000;

const before = { session: { dmScope: 'per-channel-peer' },
  agents: { list: [{ id: 'main' }, { id: 'ops' }] } };
const now = { ...before, session: { dmScope: 'main' },
  channels: { telegram: { allowFrom: ['4817263'] } } };

const server = await new Server({ policy: before,
  flags: ['--no-watch-policy', '--no-rekey-on-reload', '--unattended-ms', '15000', '--max-pending',
    '40'] }).start();
const browser = await launch();
const world = new World(server, browser);
const { queue } = world;
const ends = [];

const post = (sessionKey, text, more) => queue.enqueue({ sessionKey, text, ...more });

for (const text of ['Exec completed (build, code 0)', 'Exec completed (deploy staging, code 1)',
  'Reminder: call the dentist at 15:00'])
  await post(TELEGRAM, text, { source: 'exec-event', wake: 'now' });
for (let n = 1; n <= 38; n++)
  await post(OPS, `disk of web-${n} is ${60 + n}% full`,
    { contextKey: `disk:web-${n}`, source: 'hook' });
await post('agent:main:cron:nightly-backup', 'Backup finished: 1,204 files, 3.1 GiB',
  { source: 'cron-event' });
server.writePolicy(now);
await world.call('POST', '/v1/policy/reload');

const page = await world.open({ after: (end) => ends.push(end) },
  { scope: 'read,admin', colorScheme: 'light', viewport: { width: 1280, height: 600 } });
const over = Date.now() + ACTIVE_MS;
for (let n = 0; Date.now() < over; n++) {
  await post('agent:main:main', `Heartbeat ${n}: nothing to do`, { allowDuplicate: true });
  if (n % 5 === 4) await world.call('POST', '/v1/drain', { sessionKey: 'agent:main:main' });
  await new Promise((resolve) => setTimeout(resolve, 100 + 80 * (n % 7)));
}
const unattended = () => world.call('GET', '/v1/sessions', { problem: 'unattended' });
await until(async () => (await unattended()).sessions.length > 0, 'one to be unattended', 60000);
for (const problem of ['stranded', 'full', 'unattended'])
  await page.locator('li.problem', { hasText: problem }).waitFor();
await settled(page);
fs.writeFileSync(picture, await page.screenshot());
for (const end of ends) await end();
await browser.close();
await server.stop();
fs.rmSync(server.folder, { recursive: true });
const { size } = fs.statSync(picture);
console.log(`${picture}: ${size} bytes`);
if (size > BYTES_MAX) process.exit(1);
