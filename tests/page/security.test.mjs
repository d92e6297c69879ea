/** Nobody but its user reads or changes anything by the page, and no text of an event is more. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, test } from 'node:test';

import { begin, launch, MAIN, settled, until } from './page.mjs';

const READER = 'reader-token-0123456789abcdef';
const BOSS = 'boss-token-0123456789abcdef';
const world = await begin({ tokens: [BOSS, `${READER} read`], flags: ['--max-attempts', '1'] });
const { server, queue, url } = world;

/** Somebody else's site. */
const site = http.createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/html');
  answer.end('<!doctype html><title>evil</title>');
});
site.listen(0, '127.0.0.1');
await once(site, 'listening');
after(() => {
  site.closeAllConnections();
  site.close();
});

/** What a script of another site can try. Each attempt ends in words: "got ..." is a breach. */
async function attempts({ url, token, code }) {
  const got = async (answer) => `got ${answer.status} ${(await answer.text()).slice(0, 40)}`;
  const asked = (path, options) => fetch(url + path, options).then(async (answer) =>
    (answer.type === 'opaque' ? 'opaque' : got(answer)), () => 'failed');
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const event = JSON.stringify({ text: 'evil', sessionKey: 'agent:main:main' });
  const loaded = (tag, attribute) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve('got loaded');
    element.onerror = () => resolve('failed');
    element[attribute] = `${url}/ui/app.js`;
    document.head.append(element);
  });
  const framed = () => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.src = url;
    frame.onload = () => {
      try {
        resolve(`got ${frame.contentDocument.title}`);
      } catch {
        resolve('closed to us');
      }
    };
    document.body.append(frame);
  });
  const posted = (path, body) => new Promise((resolve) => {
    const form = Object.assign(document.createElement('form'),
      { method: 'post', enctype: 'text/plain', action: url + path, target: 'there' });
    form.append(Object.assign(document.createElement('input'),
      { name: body.slice(0, -1) + ',"', value: '":1}' }));
    const frame = Object.assign(document.createElement('iframe'),
      { name: 'there', onload: () => resolve('sent') });
    document.body.append(frame, form);
    form.submit();
  });
  const streamed = () => new Promise((resolve) => {
    const stream = new EventSource(`${url}/v1/stream`);
    stream.onopen = () => resolve('got a stream');
    stream.onerror = () => { stream.close(); resolve('failed'); };
  });
  return {
    page: await asked('/'),
    file: await asked('/ui/app.js', { mode: 'no-cors' }),
    read: await asked('/v1/sessions', { headers }),
    readOpenly: await asked('/version'),
    readBlindly: await asked('/v1/sessions', { mode: 'no-cors' }),
    change: await asked('/v1/events', { method: 'POST', headers, body: event }),
    changeBlindly: await asked('/v1/events', { method: 'POST', mode: 'no-cors', body: event }),
    remove: await asked('/v1/events?sessionKey=agent:main:main', { method: 'DELETE', headers }),
    trade: await asked('/v1/page-sessions',
      { method: 'POST', headers, body: JSON.stringify({ code }) }),
    tradeBlindly: await asked('/v1/page-sessions',
      { method: 'POST', mode: 'no-cors', body: JSON.stringify({ code }) }),
    hook: await asked('/hooks/wake', { method: 'POST', mode: 'no-cors', body: event }),
    form: await posted('/v1/page-sessions', JSON.stringify({ code })),
    script: await loaded('script', 'src'),
    frame: await framed(),
    stream: await streamed(),
  };
}

/** Opens the address in a profile that is not ours to watch. */
async function elsewhere(t, browser, address) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  return { page, answer: await page.goto(address) };
}

test('what another site tries below would succeed from here', async (t) => {
  const { page } = await elsewhere(t, world.browser, `${url}/version`);
  const ended = await page.evaluate(attempts, { url, token: BOSS, code: await server.code() });
  for (const what of ['page', 'file', 'read', 'readOpenly', 'change', 'remove', 'trade', 'script'])
    assert.match(ended[what], /^got/, what);
});

for (const host of ['127.0.0.1', 'localhost']) {
  test(`a site at another port of ${host} reads and changes nothing`, async (t) => {
    const code = await server.code('read,admin');
    const { page } = await elsewhere(t, world.browser, `http://${host}:${site.address().port}/`);
    const before = await server.stats();
    const ended = await page.evaluate(attempts, { url, token: BOSS, code });
    for (const [what, end] of Object.entries(ended)) assert.doesNotMatch(end, /^got/, what);
    const { events, http: counts } = await server.stats();
    assert.deepEqual(events, before.events);
    assert.equal(counts.pageSessions, before.http.pageSessions);
    assert.deepEqual((await world.call('GET', '/v1/events', { sessionKey: MAIN })).events, []);
    assert.ok((await world.call('POST', '/v1/page-sessions', { code })).token,
      'its code is still good');
  });
}

test('a name that was rebound to this machine reads and changes nothing', async (t) => {
  const browser = await launch('--host-resolver-rules=MAP rebound.example 127.0.0.1');
  t.after(() => browser.close());
  const code = await server.code();
  const { page, answer } = await elsewhere(t, browser, `http://rebound.example:${server.port}/`);
  assert.equal(answer.status(), 421);
  assert.doesNotMatch(await page.content(), /script/);
  const headers = { Authorization: `Bearer ${BOSS}`, 'Content-Type': 'application/json' };
  const statuses = await page.evaluate(({ headers, code }) => Promise.all([
    fetch('/v1/sessions', { headers }),
    fetch('/ui/app.js'),
    fetch('/v1/events', { method: 'POST', headers,
      body: '{"text": "evil", "sessionKey": "main"}' }),
    fetch('/v1/page-sessions', { method: 'POST', headers, body: JSON.stringify({ code }) }),
  ].map(async (answer) => (await answer).status)), { headers, code });
  assert.deepEqual(statuses, [421, 421, 421, 421]);
  assert.deepEqual((await world.call('GET', '/v1/events', { sessionKey: MAIN })).events, []);
});

const KEPT = () => JSON.stringify({ ...sessionStorage, ...localStorage, cookie: document.cookie });

test('a code lets one browser in, and a thief who is second sees nothing', async (t) => {
  await queue.enqueue({ text: 'a secret', sessionKey: 'agent:main:secret' });
  const address = `${url}/#code=${await server.code()}`;
  const owner = await (await world.profile(t)).newPage();
  await owner.goto(address);
  await owner.waitForFunction(() => location.hash === '#/');
  await owner.evaluate(() => { location.hash = '#/sessions'; });
  await owner.getByText('agent:main:secret').first().waitFor();
  const thief = await (await world.profile(t)).newPage();
  thief.expected.push(/401/);
  await thief.goto(address);
  await settled(thief);
  assert.doesNotMatch(await thief.locator('body').innerText(), /agent:main:secret/);
  assert.doesNotMatch(await thief.evaluate(KEPT), /[0-9a-f]{64}/);
  await thief.locator('input').last().waitFor();
  await world.call('POST', '/v1/drain', { sessionKey: 'agent:main:secret' });
});

test('a code that was stolen first is noticed by who made it', async (t) => {
  const code = await server.code();
  await world.call('POST', '/v1/page-sessions', { code });
  const owner = await (await world.profile(t)).newPage();
  owner.expected.push(/401/);
  await owner.goto(`${url}/#code=${code}`);
  await owner.getByText('used before').waitFor();
});

test('the code is in no request, no title, and no address that one can go back to', async (t) => {
  const code = await server.code();
  const page = await (await world.profile(t)).newPage();
  await page.goto('about:blank');
  await page.goto(`${url}/#code=${code}`);
  await settled(page);
  assert.ok(!page.url().includes(code) && !(await page.title()).includes(code));
  for (const request of page.requests) {
    assert.ok(!request.url().includes(code), request.url());
    assert.equal((await request.allHeaders()).referer, undefined, request.url());
  }
  await page.goBack();
  assert.equal(page.url(), 'about:blank');
  await page.goForward();
  assert.ok(!page.url().includes(code), page.url());
});

test('a code that is pasted where the page is open lets it in', async (t) => {
  const page = await world.open(t, { scope: 'read' });
  const before = await page.evaluate(KEPT);
  await page.evaluate((code) => { location.hash = `code=${code}`; },
    await server.code('read,admin'));
  await until(async () => !page.url().includes('code=') &&
    (await page.evaluate(KEPT).catch(() => before)) !== before, 'another token');
});

test('the token is kept in the tab alone', async (t) => {
  const page = await world.open(t, { scope: 'read' });
  await settled(page);
  const kept = await page.evaluate(() =>
    [Object.values(sessionStorage).length, localStorage.length, document.cookie]);
  const local = await page.evaluate(() => JSON.stringify(localStorage));
  assert.deepEqual([kept[0] > 0, /[0-9a-f]{64}/.test(local), kept[2]], [true, false, '']);
});

const CHANGES = /purge|requeue|discard|withdraw|reload|move|release/i;

test('a page that may only look has no button that changes, and gets 403 by hand', async (t) => {
  const { event } = await queue.enqueue({ text: 'dead', sessionKey: MAIN });
  const { leaseId } = await queue.lease({ sessionKey: MAIN });
  await queue.nack(leaseId, { reason: 'dead' });
  await queue.enqueue({ text: 'x', sessionKey: MAIN });
  const page = await world.open(t, { scope: 'read' });
  const boss = await world.open(t, { scope: 'read,admin' });
  page.expected.push(/403/);
  const views = { '#/': 'What is wrong', [`#/session/${encodeURIComponent(MAIN)}`]: MAIN,
    '#/dead': 'Dead letters', '#/policy': 'Policy', [`#/event/${event.id}`]: `Event ${event.id}` };
  for (const [at, title] of Object.entries(views)) {
    for (const one of [page, boss]) {
      await one.evaluate((hash) => { location.hash = hash; }, at);
      await one.locator('h1', { hasText: title }).waitFor();
    }
    await boss.getByRole('button', { name: CHANGES }).first().waitFor();
    assert.equal(await page.getByRole('button', { name: CHANGES }).count(), 0, at);
  }
  const statuses = await page.evaluate(() => {
    const token = Object.values(sessionStorage).find((text) => /^[0-9a-f]{64}$/.test(text));
    const ask = (method, path, body) => fetch(path, { method, body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${token}`,
        ...(body && { 'Content-Type': 'application/json' }) } });
    return Promise.all([
      ask('GET', '/v1/whoami'),
      ask('POST', '/v1/events', { text: 'y', sessionKey: 'main' }),
      ask('DELETE', '/v1/events?queueKey=agent:main:main'),
      ask('POST', '/v1/drain', { sessionKey: 'main' }),
      ask('POST', '/v1/rekey', { confirm: true }),
      ask('POST', '/v1/policy/reload', {}),
      ask('POST', '/v1/dead-letters/requeue', { all: true, confirm: true }),
      ask('POST', '/v1/page-codes', {}),
    ].map(async (answer) => (await answer).status));
  });
  assert.deepEqual(statuses, [200, 403, 403, 403, 403, 403, 403, 403]);
  assert.equal((await world.call('POST', '/v1/drain', { sessionKey: MAIN })).events.length, 1);
});

test('a page whose maker is revoked shows nothing any more', async (t) => {
  const reader = await world.call('GET', '/v1/whoami');
  assert.ok(reader.scopes.includes('admin'));
  const answer = await fetch(`${url}/v1/page-codes`, { method: 'POST', body: '{}',
    headers: { Authorization: `Bearer ${READER}`, 'Content-Type': 'application/json' } });
  const page = await (await world.profile(t)).newPage();
  page.expected.push(/401/);
  await page.goto(`${url}/#code=${(await answer.json()).code}`);
  await settled(page);
  server.writeTokens([BOSS]);
  server.process.kill('SIGHUP');
  await until(() => page.locator('input[type=password], form input').first().isVisible(),
    'the page to ask for a token', 60000);
  server.writeTokens([BOSS, `${READER} read`]);
  server.process.kill('SIGHUP');
});
