/** An operator's way: from `sevq page` to "why is it not drained" and the repair. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { CHAT, MANUAL, ONE_OWNER, TWO_OWNERS, address, adopt, kill } from './looks.mjs';
import { MAIN, begin, until } from './page.mjs';

const ALL = 'produce,consume,read,admin';
const world = await begin({ flags: [...MANUAL, '--max-attempts', '1'], policy: TWO_OWNERS });
const { queue, server } = world;

/** Puts an event where the policy then leads nobody. */
async function strand(text) {
  await adopt(server, TWO_OWNERS);
  await queue.enqueue({ sessionKey: CHAT, text });
  await adopt(server, ONE_OWNER);
}

const drained = async (sessionKey) =>
  (await queue.drain({ sessionKey })).events.map(({ text }) => text);

/** Presses Tab until the focus is on something that says this. */
async function tabTo(page, words) {
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.innerText) === words) return;
  }
  assert.fail(`no way by Tab to ${words}`);
}

const dialog = (page) => page.locator('dialog[open]');
const focused = (page) => page.evaluate(() => document.activeElement.innerText);

test('with the mouse: the command opens the page, which says why and moves it', async (t) => {
  await strand('for the mouse');
  const told = spawnSync(process.env.SEVQ, ['page', '--admin', '--print'], { encoding: 'utf8',
    env: { ...process.env, SEVQ_URL: world.url, SEVQ_TOKEN_FILE: `${server.folder}/token` } });
  const url = /http:[^"\s]*#code=\w+/.exec(told.stdout + told.stderr)?.[0];
  assert.ok(url, told.stdout + told.stderr);
  const page = await (await world.profile(t)).newPage();
  await page.goto(url);
  await page.getByText('1 event stands where nobody asks').waitFor();
  assert.equal(new URL(page.url()).hash, '#/');
  await page.getByRole('link', { name: 'Why?' }).first().click();
  await page.getByText('this key now leads to').waitFor();
  await page.getByRole('button', { name: 'Move …' }).click();
  await dialog(page).getByText('Move 1 event?').waitFor();
  assert.ok(await dialog(page).getByText(`1 from ${CHAT} to ${MAIN}`).isVisible());
  assert.equal(await focused(page), 'Cancel');
  await dialog(page).getByRole('button', { name: 'Move', exact: true }).click();
  await page.getByText('Moved 1 event.').waitFor();
  await page.getByText('No event is queued here.').waitFor();
  assert.deepEqual(await drained(MAIN), ['for the mouse']);
});

test('with the keyboard only', async (t) => {
  await strand('for the keyboard');
  const page = await world.open(t, { scope: ALL });
  await page.getByText('1 event stands where nobody asks').waitFor();
  await page.keyboard.press('j');
  assert.equal(await focused(page), CHAT);
  await page.keyboard.press('Enter');
  await page.getByText('Why is it not drained?').waitFor();
  await tabTo(page, 'Move …');
  await page.keyboard.press('Enter');
  await dialog(page).getByText('Move 1 event?').waitFor();
  await page.keyboard.press('Escape');
  await until(async () => (await focused(page)) === 'Move …', 'the focus to come back');
  await page.keyboard.press('Enter');
  await dialog(page).getByText('Move 1 event?').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Move');
  await page.keyboard.press('Enter');
  await page.getByText('Moved 1 event.').waitFor();
  assert.deepEqual(await drained(MAIN), ['for the keyboard']);
});

test('dead letters are chosen and requeued with the keyboard only', async (t) => {
  await kill(queue, 'agent:main:dead', 3, 'exit 1');
  const page = await world.open(t, { scope: ALL });
  await page.getByText('What is wrong').waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  await page.getByText('3 dead letters').waitFor();
  for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key);
  await page.getByRole('button', { name: 'Requeue 2 chosen …' }).focus();
  await page.keyboard.press('Enter');
  await dialog(page).getByText('Requeue 2 dead letters?').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('Requeued 2 dead letters.').waitFor();
  await page.getByText('1 dead letter', { exact: true }).waitFor();
  assert.deepEqual(await drained('agent:main:dead'), ['message 1', 'message 2']);
});

test('a rate holds over the calls of a thousand that a requeue needs', async (t) => {
  const sessionKey = 'agent:main:many';
  for (const n of [1000, 500]) {
    await queue.enqueueBatch(Array.from({ length: n },
      (_, i) => ({ sessionKey, text: `${n} ${i}` })));
    const { leaseId } = await queue.lease({ sessionKey, limit: n });
    await queue.nack(leaseId, { reason: 'too many' });
  }
  const page = await world.open(t, { scope: ALL, at: `#/dead?queueKey=${sessionKey}` });
  await page.getByRole('button', { name: 'Requeue all that match …' }).click();
  await dialog(page).getByText('Requeue 1,000 dead letters and more?').waitFor();
  await dialog(page).getByLabel('Events a second').fill('500');
  await dialog(page).getByLabel('Type 1,000 to confirm').fill('1000');
  await dialog(page).getByRole('button', { name: 'Requeue', exact: true }).click();
  await page.getByText('Requeued 1,500 dead letters.').waitFor();
  const times = [];
  for (let after, more = true; more; after = times.at(-1).id) {
    const found = await server.call('GET', '/v1/events',
      { queueKey: sessionKey, limit: 1000, after });
    times.push(...found.events);
    more = found.more;
  }
  const due = times.map(({ availableAt }) => availableAt).sort((a, b) => a - b);
  assert.equal(due.length, 1500);
  for (let i = 600; i < due.length; i += 1)
    assert.ok(due[i] - due[i - 600] > 1000, `600 events in ${due[i] - due[i - 600]} ms`);
  await server.call('DELETE', '/v1/events', { queueKey: sessionKey });
});

/** Holds what the page asks for to requeue; the functions that let each go on. */
async function held(page) {
  const waiting = [];
  await page.route('**/v1/dead-letters/requeue', (route) => waiting.push((answer) =>
    (answer ? route.fulfill({ contentType: 'application/json', ...answer }) : route.continue())));
  return waiting;
}

const busy = { status: 503,
  body: JSON.stringify({ title: 'Away', detail: 'it rests', status: 503 }) };

test('what a closed dialog has asked for is not told in the next one', async (t) => {
  const page = await world.open(t, { scope: ALL, at: '#/dead' });
  const waiting = await held(page);
  await page.getByRole('button', { name: 'Requeue all 1 …' }).click();
  await until(() => waiting.length === 1, 'the dry run');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'keys' }).click();
  await dialog(page).getByText('this help').waitFor();
  const answered = page.waitForResponse('**/v1/dead-letters/requeue');
  await waiting[0]();
  await (await answered).finished();
  await page.evaluate(() => new Promise((resolve) => { setTimeout(resolve); }));
  assert.ok(await dialog(page).getByText('this help').isVisible());
});

test('a failure is told also to a closed dialog, and with what was done before', async (t) => {
  const page = await world.open(t, { scope: ALL, at: '#/dead' });
  page.expected.push(/503/);
  const waiting = await held(page);
  const requeue = async () => {
    waiting.length = 0;
    await page.getByRole('button', { name: 'Requeue all 1 …' }).click();
    await until(() => waiting.length === 1, 'the dry run');
    await waiting[0]();
    await dialog(page).getByRole('button', { name: 'Requeue', exact: true }).click();
    await until(() => waiting.length === 2, 'the requeue');
  };
  await requeue();
  await waiting[1]({ body: '{"requeued":7,"passedOver":0,"more":true,"dryRun":false}' });
  await until(() => waiting.length === 3, 'the next requeue');
  await waiting[2](busy);
  await dialog(page).getByText('Requeue failed').waitFor();
  await dialog(page).getByText('7 were done before that.').waitFor();
  await page.keyboard.press('Escape');
  await requeue();
  await page.keyboard.press('Escape');
  await waiting[1](busy);
  await page.locator('.banner.bad').getByText('Requeue failed: it rests.').waitFor();
});

test('all dead letters that match are discarded, and no others', async (t) => {
  await kill(queue, 'agent:main:dead', 2, 'out of memory');
  const page = await world.open(t, { scope: ALL, at: '#/dead?reason=out' });
  await page.getByRole('button', { name: 'Discard all 2 that match …' }).click();
  await dialog(page).getByText('Discard 2 dead letters?').waitFor();
  await dialog(page).getByRole('button', { name: 'Discard', exact: true }).click();
  await page.getByText('Discarded 2 dead letters.').waitFor();
  await page.getByText('Nothing is like that.').waitFor();
  const { events } = await server.call('GET', '/v1/dead-letters');
  assert.deepEqual(events.map(({ outcome }) => outcome.detail), ['exit 1']);
});

test('over a hundred events are purged only once their number is typed', async (t) => {
  await queue.enqueueBatch(Array.from({ length: 120 },
    (_, i) => ({ sessionKey: 'agent:main:full', text: `event ${i}` })));
  const page = await world.open(t, { scope: ALL, at: address('session', 'agent:main:full') });
  await page.getByRole('button', { name: 'Purge …' }).click();
  await dialog(page).getByText('Purge 120 events?').waitFor();
  const purge = dialog(page).getByRole('button', { name: 'Purge', exact: true });
  assert.equal(await purge.isDisabled(), true);
  await dialog(page).getByLabel('Type 120 to confirm').fill('12');
  assert.equal(await purge.isDisabled(), true);
  await dialog(page).getByLabel('Type 120 to confirm').fill('120');
  await purge.click();
  await page.getByText('Purged 120 events of agent:main:full.').waitFor();
  assert.deepEqual(await drained('agent:main:full'), []);
});

test('a purge empties the queue of this key, not the one that the key leads to', async (t) => {
  await strand('stranded');
  await queue.enqueue({ sessionKey: MAIN, text: 'stays' });
  const page = await world.open(t, { scope: ALL, at: address('session', CHAT) });
  await page.getByRole('button', { name: 'Purge …' }).click();
  await dialog(page).getByRole('button', { name: 'Purge', exact: true }).click();
  await page.getByText(`Purged 1 event of ${CHAT}.`).waitFor();
  assert.deepEqual(await drained(MAIN), ['stays']);
});

test('the overview counts all dead letters', async (t) => {
  await kill(queue, 'agent:main:dead', 30, 'late');
  const { deadLetters } = await server.stats();
  const page = await world.open(t, { scope: 'read' });
  await page.getByText(`${deadLetters} events failed too often`).waitFor();
  await page.locator('.numbers div', { hasText: new RegExp(`^dead${deadLetters}$`) }).waitFor();
});

test('who may only look sees no button that changes anything, and gets 403 by hand', async (t) => {
  await strand('look only');
  const page = await world.open(t, { scope: 'read' });
  page.expected.push(/403/);
  const views = { '#/': 'What is wrong', [address('session', CHAT)]: CHAT, '#/dead': 'Dead letters',
    '#/policy': 'Policy', '#/event/1': 'Event 1' };
  for (const [at, title] of Object.entries(views)) {
    await page.evaluate((hash) => { location.hash = hash; }, at);
    await page.locator('h1', { hasText: title }).waitFor();
    for (const name of [/Move/, /Purge/, /Requeue/, /Discard/, /Reload/, /Withdraw/])
      assert.equal(await page.getByRole('button', { name }).count(), 0, `${at} ${name}`);
  }
  const status = await page.evaluate(async () => {
    const headers = { 'Content-Type': 'application/json',
      Authorization: `Bearer ${sessionStorage.getItem('sevq-token')}` };
    const body = '{"confirm":true}';
    return (await fetch('/v1/rekey', { method: 'POST', body, headers })).status;
  });
  assert.equal(status, 403);
});
