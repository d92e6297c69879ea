/** What the page shows when there is nothing to show, and when something does not work. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { address, shoot, usable } from './looks.mjs';
import { MAIN, begin, until } from './page.mjs';

const READER = 'reader-token-0123456789abcdef';
const PRODUCER = 'producer-token-0123456789abcdef';
const AGENT = 'agent-token-0123456789abcdef';
const world = await begin({ tokens: ['boss-token-0123456789abcdef', `${READER} read`,
  `${PRODUCER} produce`, `${AGENT} read agent=ops`] });
const { queue, server } = world;

/** Answers every call below a path with this, instead of the server; undo() ends it. */
async function answer(page, path, status, { code, detail = '', headers = {} }) {
  const where = `**${path}*`;
  const body = JSON.stringify({ type: `urn:sevq:problem:${code}`, title: code, status, detail,
    code });
  await page.route(where, (route) =>
    route.fulfill({ status, body, headers, contentType: 'application/problem+json' }));
  return () => page.unroute(where);
}

test('an empty list says why it is empty and what next', async (t) => {
  const page = await world.open(t, { scope: 'read,admin' });
  const wanted = {
    '#/': 'No event waits to be taken.',
    '#/sessions': 'A session appears with its first event',
    '#/leases': 'Nobody holds an event.',
    '#/history': 'No event has left its queue yet.',
    '#/dead': 'There are no dead letters.',
    '#/consumers': 'Nobody has asked since',
    '#/route': 'Give a key.',
    '#/sessions?contains=nothing': 'Nothing is like that. Show all',
    [address('session', MAIN)]: 'No event is queued here.',
  };
  for (const [at, words] of Object.entries(wanted)) {
    await page.evaluate((hash) => { location.hash = hash; }, at);
    await page.getByText(words).waitFor();
    await usable(page);
    await shoot(page, `empty${at.replaceAll(/\W/g, '-').slice(0, 20)}`);
  }
});

test('an event that is gone is said to be forgotten, and the way back works', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/event/99999' });
  page.expected.push(/404/);
  await page.getByText('left its queue so long ago that it is forgotten').waitFor();
  await usable(page);
  await page.getByRole('link', { name: 'The history' }).click();
  await page.getByText('No event has left its queue yet.').waitFor();
});

test('without a token the page asks for one, and a pasted one opens it', async (t) => {
  const page = await world.open(t, { at: '#/sessions' });
  await page.getByText('This page needs a token').waitFor();
  await usable(page);
  await shoot(page, 'token');
  await page.keyboard.type(READER);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Sessions' }).waitFor();
  assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)), '{}');
});

test('a wrong token brings the form back, and says so', async (t) => {
  const page = await world.open(t);
  page.expected.push(/401/);
  await page.getByLabel('Or paste a token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.locator('.warn').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('a token that ends while the page waits leaves nothing of the view', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/leases' });
  page.expected.push(/503/, /401/);
  await page.getByText('Nobody holds an event.').waitFor();
  const undo = await answer(page, '/v1/leases', 503, { code: 'busy' });
  await page.locator('main.old').waitFor();
  await undo();
  let end;
  await page.route('**/v1/history*',
    (route) => { end = () => route.fulfill({ status: 401, body: '{}' }); });
  await page.evaluate(() => { location.hash = '#/history'; });
  await page.locator('main[aria-busy]').waitFor();
  await end();
  await page.getByText('This page needs a token').waitFor();
  assert.equal(await page.locator('main').evaluate((main) => main.className), '');
  assert.equal(await page.locator('main[aria-busy]').count(), 0);
});

test('a link that was used before says so, and its code is gone from the address', async (t) => {
  const code = await server.code();
  await world.open(t, { at: `#code=${code}` }).then((page) =>
    page.getByText('What is wrong').waitFor());
  const page = await world.open(t, { at: `#code=${code}` });
  page.expected.push(/401/);
  await page.getByText('This link was used before').waitFor();
  assert.equal(new URL(page.url()).hash, '#/');
});

test('a token without the scope is told what it may', async (t) => {
  const page = await world.open(t);
  page.expected.push(/403/);
  await page.getByLabel('Or paste a token').fill(PRODUCER);
  await page.keyboard.press('Enter');
  await page.getByText('This token may not look at this').waitFor();
  await page.getByText('It may produce.').waitFor();
  await usable(page);
});

test('a tab that is opened beside another has its token', async (t) => {
  const first = await world.open(t, { scope: 'read' });
  await first.getByText('What is wrong').waitFor();
  const second = await first.context().newPage();
  await second.goto(`${world.url}/#/sessions`);
  await second.getByRole('heading', { name: 'Sessions' }).waitFor();
});

test('a busy server is asked again when it said so, with a countdown', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/leases' });
  page.expected.push(/429/, /503/);
  await page.getByText('Nobody holds an event.').waitFor();
  for (const [status, words] of [[429, 'The server is busy: too many'],
    [503, 'The server cannot answer now: too many']]) {
    const undo = await answer(page, '/v1/leases', status,
      { code: 'queue-full', detail: 'too many', headers: { 'Retry-After': '3' } });
    await page.getByText(words).waitFor();
    await page.getByText(/Trying again in [123] s/).waitFor();
    assert.ok(await page.getByText('Nobody holds an event.').isVisible(), 'what was there stays');
    await undo();
    await page.getByText(words).waitFor({ state: 'detached' });
  }
});

test('rates begin anew when the server has, and the highest is one of them', async (t) => {
  const page = await world.open(t, { scope: 'read' });
  await page.getByText('What is wrong').waitFor();
  const counters = [[1_000_000, 70], [100, 0], [5100, 1], [10_100, 1]];
  await page.route('**/v1/stats', async (route) => {
    const [uptimeMs, enqueued] = counters.length > 1 ? counters.shift() : counters[0];
    const stats = await server.stats();
    Object.assign(stats, { uptimeMs, events: { ...stats.events, enqueued } });
    await route.fulfill({ json: stats });
  });
  for (const words of ['in a few seconds', 'in a few seconds', 'highest 0.2/s in 1 min']) {
    await page.evaluate(() => { location.hash = '#/leases'; });
    await page.getByText('Nobody holds an event.').waitFor();
    await page.evaluate(() => { location.hash = '#/'; });
    await page.getByText(words).waitFor();
  }
});

test('a full disk is told above everything', async (t) => {
  const page = await world.open(t);
  const state = JSON.stringify({ ready: false, policyHash: '', stranded: null });
  const body = `event: server\ndata: ${state}\n\n`;
  await page.route('**/v1/stream*',
    (route) => route.fulfill({ contentType: 'text/event-stream', body }));
  await page.getByLabel('Or paste a token').fill(READER);
  await page.keyboard.press('Enter');
  await page.getByText('No event can be stored: the disk is full or fails.').waitFor();
  await usable(page);
});

test('a token for some agents sees their sessions', async (t) => {
  const page = await world.open(t);
  await page.getByLabel('Or paste a token').fill(AGENT);
  await page.keyboard.press('Enter');
  await page.getByText('What is wrong').waitFor();
  assert.equal(await page.getByText('How much there is').count(), 0);
});

test('what could not be loaded for another reason is told', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/history?since=never' });
  page.expected.push(/400/);
  await page.getByText('This could not be loaded').waitFor();
  await page.getByText('since').first().waitFor();
});

test('loading dims what is there only after a while', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/leases' });
  await page.getByText('Nobody holds an event.').waitFor();
  let go;
  await page.route('**/v1/history*', (route) => { go = () => route.continue(); });
  await page.evaluate(() => { location.hash = '#/history'; });
  await page.locator('main[aria-busy=true]', { hasText: 'Nobody holds an event.' }).waitFor();
  await until(() => go, 'the request');
  await go();
  await page.locator('main:not([aria-busy])',
    { hasText: 'No event has left its queue yet.' }).waitFor();
});

test('while the server is away its data stay, marked as old, and then are new', async (t) => {
  const page = await world.open(t, { at: '' });
  page.expected.push(/ERR_CONNECTION|ERR_INCOMPLETE|network error/);
  await page.getByLabel('Or paste a token').fill(READER);
  await page.keyboard.press('Enter');
  await page.evaluate(() => { location.hash = '#/sessions'; });
  await page.getByText('No session has an event.').waitFor();
  await server.stop();
  await page.getByText('The server does not answer.').waitFor();
  await page.getByText(/What you see is \d+ s old/).waitFor();
  assert.ok(await page.locator('main.old').getByText('No session has an event.').isVisible());
  await usable(page);
  await shoot(page, 'away');
  await server.start();
  await page.getByText('The server does not answer.').waitFor({ state: 'detached' });
  assert.equal(await page.locator('main.old').count(), 0);
});
