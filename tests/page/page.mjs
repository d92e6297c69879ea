/**
 * What the tests of the page share: a real sevqd in a folder of its own (server.mjs), and a real
 * Chromium.
 *
 *     const world = await begin({ flags: ['--max-pending', '20'], policy: {} });
 *     test('...', async (t) => {
 *       await world.queue.enqueue({ text: 'x', sessionKey: MAIN });
 *       const page = await world.open(t, { scope: 'read,admin', at: '#/sessions' });
 *       await page.getByText('x').waitFor();
 *     });
 *
 * When a test ends, nothing may have stood in the console of its pages, no rule of their security
 * policy may have been broken, and nothing may have been asked of anybody but the server. What a
 * test expects to stand there it says beforehand: page.expected.push(/403/).
 *
 * PAGE names the folder in which npm has installed playwright-core and axe-core, as `./check page`
 * does, and CHROMIUM the browser. Without them a test ends with 77, which is: skipped.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after } from 'node:test';

import { Server, until } from './server.mjs';

export { Server, until };

export const MAIN = 'agent:main:main';
const { PAGE, CHROMIUM } = process.env;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

function skip(why) {
  console.log(`Skipped: ${why}; ./check page installs it.`);
  process.exit(77);
}

if (!fs.existsSync(path.join(PAGE, 'installed.json'))) skip('playwright-core is not installed');
if (!fs.existsSync(CHROMIUM)) skip('chromium is not installed');
const installed = createRequire(path.join(PAGE, 'package.json'));
const { chromium } = installed('playwright-core');
/** The source of axe-core, which finds what people cannot use: page.evaluate(AXE) defines axe. */
export const AXE = fs.readFileSync(installed.resolve('axe-core/axe.min.js'), 'utf8');

/** Notes what a page asks for, and what it does that it must not. */
function watch(page, url) {
  page.faults = [];
  page.expected = [];
  page.requests = [];
  page.pending = new Set();
  page.on('console', (said) => {
    if (['error', 'warning'].includes(said.type())) page.faults.push(`console: ${said.text()}`);
  });
  page.on('pageerror', (error) => page.faults.push(`error: ${error.stack}`));
  page.on('request', (request) => {
    page.requests.push(request);
    page.pending.add(request);
    if (!request.url().startsWith(`${url}/`)) page.faults.push(`asked for ${request.url()}`);
  });
  for (const over of ['requestfinished', 'requestfailed']) {
    page.on(over, (request) => page.pending.delete(request));
  }
}

/** Waits until the page has drawn what it has asked for, the stream aside. */
export async function settled(page) {
  let quiet = 0;
  await until(() => {
    const busy = [...page.pending].some((request) => !request.url().includes('/v1/stream'));
    quiet = busy ? 0 : quiet + 1;
    return quiet > 10;
  }, 'the page to ask for nothing');
  await page.evaluate(() => new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
  }));
}

export class World {
  constructor(server, browser) {
    Object.assign(this, { server, browser, url: server.url, queue: server.queue });
  }

  call(...what) {
    return this.server.call(...what);
  }

  /** A browser's profile of its own, in which pages are watched. */
  async profile(t, { viewport = { width: 1280, height: 800 }, ...options } = {}) {
    const context = await this.browser.newContext({ viewport, ...options });
    await context.exposeBinding('reportViolation', ({ page }, what) => page.faults.push(what));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
        reportViolation(`security policy: ${violatedDirective} ${blockedURI} ${sample}`));
    });
    const pages = [];
    context.on('page', (page) => pages.push(page) && watch(page, this.server.url));
    t.after(async () => {
      await context.close();
      for (const page of pages) {
        const faults = page.faults.filter((fault) =>
          !page.expected.some((wanted) => wanted.test(fault)));
        assert.deepEqual(faults, []);
      }
    });
    return context;
  }

  /**
   * Opens the page: as somebody without a token, or with scope by a code, as `sevq page` does; then
   * the view at. context: the profile to open it in.
   */
  async open(t, { scope, at = '', context, ...options } = {}) {
    const page = await (context ?? (await this.profile(t, options))).newPage();
    if (scope === undefined) {
      await page.goto(`${this.url}/${at}`);
      return page;
    }
    await page.goto(`${this.url}/#code=${await this.server.code(scope)}`);
    await page.waitForFunction(() => !location.hash.includes('code='));
    if (at) await page.evaluate((hash) => { location.hash = hash; }, at);
    return page;
  }
}

export async function launch(...flags) {
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags], headless: true });
}

/** A server and a browser, which end with the file's tests. */
export async function begin(options) {
  const server = await new Server(options).start();
  const browser = await launch();
  after(async () => {
    await browser.close();
    await server.stop();
    fs.rmSync(server.folder, { recursive: true });
  });
  return new World(server, browser);
}
