/** Every view shows what is there, in light, in dark and on 320 pixels, and anybody can use it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CHAT, MANUAL, ONE_OWNER, TWO_OWNERS, address, adopt, kill, shoot,
  usable } from './looks.mjs';
import { MAIN, begin, until } from './page.mjs';

const LOST = 'agent:main:discord:default:channel:7';
const world = await begin({ flags: [...MANUAL, '--unattended-ms', '1', '--max-attempts', '1'],
  policy: TWO_OWNERS });
const { queue, server } = world;

await queue.enqueue({ sessionKey: CHAT, text: 'Deploy finished' });
await queue.enqueue({ sessionKey: 'main', text: 'Backup finished', contextKey: 'cron:backup',
  source: 'cron-event' });
await queue.enqueue({ sessionKey: MAIN, text: 'Reminder for tomorrow', delayMs: 86_400_000 });
await queue.lease({ sessionKey: MAIN, consumer: 'sevq run, mybox', leaseMs: 3_600_000, limit: 1 });
await queue.enqueue({ sessionKey: MAIN, text: '{"value":9007199254740993,"list":[1,{}]}' });
await queue.enqueue({ sessionKey: 'agent:main:drained', text: 'Old news' });
await queue.drain({ sessionKey: 'agent:main:drained' });
await kill(queue, LOST, 2, 'exit 1');
await kill(queue, LOST, 1, 'timed out');
await adopt(server, ONE_OWNER);
await until(async () => (await server.call('GET', `/v1/sessions?problem=unattended`)).total === 2,
  'two unattended sessions');

/** What a reader must see in each view. */
const SEEN = {
  overview: ['', ['What is wrong', 'stranded', '1 event stands where nobody asks', MAIN,
    '3 events failed too often', 'dmScope main', 'waits longest', 'dead 3']],
  sessions: ['#/sessions', ['2 sessions', CHAT, 'stranded', 'unattended', 'sevq run, mybox']],
  deadSessions: ['#/sessions?problem=dead', ['1 session', LOST, 'dead']],
  session: [address('session', CHAT), ['Why is it not drained?',
    'this key now leads to agent:main:main', 'by direct-main', 'Nobody has asked for this queue',
    'sevq run, mybox asks for agent:main:main', 'Deploy finished', 'Posted as']],
  main: [address('session', MAIN), ['Posted as', 'Asked for as', 'main-alias', 'leased',
    'sevq run, mybox', 'delayed', 'Reminder for tomorrow']],
  lost: [address('session', LOST), ['No event is queued', '3 events failed too often']],
  event: ['#/event/2', ['Event 2', 'leased', 'main — main-alias → agent:main:main',
    'Backup finished', 'cron:backup', 'cron-event', 'given to sevq run, mybox']],
  leases: ['#/leases', ['1 lease', MAIN, 'sevq run, mybox']],
  history: ['#/history', ['drained', 'Old news', 'dead', 'timed out']],
  dead: ['#/dead', ['3 dead letters', '2 exit 1', '1 timed out', LOST, 'Requeue all 3',
    'Discard all 3']],
  consumers: ['#/consumers', [MAIN, 'sevq run, mybox lease', 'runner', 'its own key']],
  route: [`#/route?key=${encodeURIComponent(CHAT)}`,
    ['direct-main', 'the peer is the only owner', 'Under the key itself: 1 event', MAIN]],
  policy: ['#/policy', ['openclaw.json', 'telegram', '123', 'Stranded', '1 event in 1 queue',
    'Move 1 event']],
};

const LOOKS = { light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' },
  narrow: { viewport: { width: 320, height: 640 } } };

for (const [look, options] of Object.entries(LOOKS))
  test(`every view shows what is there (${look})`, async (t) => {
    const page = await world.open(t, { scope: 'read,admin', ...options });
    for (const [name, [at, wanted]] of Object.entries(SEEN)) {
      await page.evaluate((hash) => { location.hash = hash; }, at || '#/');
      for (const words of wanted)
        await page.locator('main', { hasText: new RegExp(loose(words)) }).waitFor();
      await usable(page);
      await shoot(page, `${name}-${look}`);
    }
  });

/** White space may stand between elements where a reader sees one space. */
function loose(words) {
  return words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '\\s*');
}

test('an event tells its text as it is, and JSON with all its digits', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/event/4' });
  await page.getByText('As JSON').click();
  const formed = await page.getByLabel('text as JSON').innerText();
  assert.equal(formed, '{\n  "value": 9007199254740993,\n  "list": [\n    1,\n    {}\n  ]\n}');
});

test('what is looked for lives in the address', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByLabel('Key contains').fill('telegram');
  await page.getByText('1 session', { exact: true }).waitFor();
  assert.equal(new URL(page.url()).hash, '#/sessions?contains=telegram');
  await page.getByLabel(/^Problem/).selectOption('full');
  await page.getByText('Nothing is like that.').waitFor();
  assert.equal(new URL(page.url()).hash, '#/sessions?contains=telegram&problem=full');
  await page.evaluate(() => { location.hash = '#/leases'; });
  await page.locator('h1', { hasText: 'Leases' }).waitFor();
  await page.goBack();
  await page.getByText('Nothing is like that.').waitFor();
  assert.equal(await page.getByLabel('Key contains').inputValue(), 'telegram');
});

test('two fields that are filled at once are both looked for', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByLabel('Key begins with').waitFor();
  await page.evaluate(() => {
    for (const [name, value] of [['prefix', 'agent:main:'], ['contains', 'telegram']]) {
      const field = document.querySelector(`input[data-name=${name}]`);
      field.value = value;
      field.dispatchEvent(new Event('input', { bubbles: true }));
    }
  });
  await page.getByText('1 session', { exact: true }).waitFor();
  const wanted = '#/sessions?prefix=agent%3Amain%3A&contains=telegram';
  assert.equal(new URL(page.url()).hash, wanted);
});

test('who leaves a view while typing above its list is not taken back to it', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.getByLabel('Key contains').waitFor();
  await page.clock.install();
  await page.getByLabel('Key contains').fill('telegram');
  await page.evaluate(() => { location.hash = '#/leases'; });
  await page.locator('h1', { hasText: 'Leases' }).waitFor();
  await page.clock.runFor(1000);
  assert.equal(new URL(page.url()).hash, '#/leases');
});

const LISTS = [['sessions', 'Sessions', 'Problem'], ['sessions', 'Sessions', 'Order'],
  ['history', 'History', 'How']];

test('whatever can be chosen above a list, the server knows', async (t) => {
  const page = await world.open(t, { scope: 'read' });
  for (const [view, title, label] of LISTS) {
    await page.evaluate((to) => { location.hash = `#/${to}`; }, view);
    const choice = page.locator(`main:has(h1:text-is("${title}"))`)
      .getByLabel(new RegExp(`^${label}`));
    await choice.waitFor();
    const values = await choice.locator('option').evaluateAll((options) =>
      options.map(({ value }) => value));
    assert.ok(values.length > 1, label);
    for (const value of values) {
      const answered = page.waitForResponse((answer) => answer.url().includes(`/v1/${view}?`));
      await choice.selectOption(value);
      assert.equal((await answered).status(), 200, `${label} ${value}`);
    }
  }
});

test('digits lead to an event, a key to its session, an alias to where it leads', async (t) => {
  const page = await world.open(t, { scope: 'read' });
  for (const [typed, seen] of [['2', 'Event 2'], [CHAT, 'Why is it not drained?'],
    ['main', 'What is posted to it is queued in']]) {
    await page.keyboard.press('/');
    await page.keyboard.type(typed);
    await page.keyboard.press('Enter');
    await page.locator('main', { hasText: seen }).waitFor();
  }
});

test('what is typed while a view loads stays where it is typed', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/sessions' });
  await page.locator('h1', { hasText: 'Sessions' }).waitFor();
  let answer;
  await page.route('**/v1/leases*', (route) => { answer = () => route.continue(); });
  await page.evaluate(() => { location.hash = '#/leases'; });
  await until(() => answer, 'the leases to be asked for');
  await page.keyboard.press('/');
  await page.keyboard.type('4');
  await answer();
  await page.locator('h1', { hasText: 'Leases' }).waitFor();
  await page.keyboard.type('2');
  assert.equal(await page.locator('#find-box').inputValue(), '42');
});

test('a key of its own is not the second of two, however young the page is', async (t) => {
  const page = await world.open(t, { scope: 'read' });
  await page.addInitScript(() => { performance.now = () => 1; });
  await page.reload();
  await page.locator('h1').waitFor();
  await page.keyboard.press('p');
  await page.getByText('paused').waitFor();
  assert.equal(new URL(page.url()).hash.replace('#/', ''), '');
});

test('times are relative, local or UTC, as the reader chose', async (t) => {
  const page = await world.open(t, { scope: 'read', at: '#/event/1' });
  const first = page.locator('main time').first();
  await until(async () => /ago|now/.test(await first.innerText()), 'a relative time');
  assert.match(await first.getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  await page.keyboard.press('t');
  await page.keyboard.press('t');
  await until(async () => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(await first.innerText()),
    'a UTC time');
  await page.reload();
  await until(async () => /^\d{4}-/.test(await page.locator('main time').first().innerText()),
    'UTC to be remembered');
});

test('the server’s clock counts, and not that of a browser that is two hours ahead', async (t) => {
  const context = await world.profile(t);
  await context.clock.install({ time: Date.now() + 7_200_000 });
  const page = await world.open(t, { scope: 'read', at: '#/event/2', context });
  await page.locator('main', { hasText: /given to sevq run, mybox.*ends in/ }).waitFor();
});

test('a queue that is held back says by what', async (t) => {
  const sessionKey = 'agent:main:alone';
  for (const text of ['one', 'two']) await queue.enqueue({ sessionKey, text });
  await queue.lease({ sessionKey, limit: 1, leaseMs: 3_600_000, exclusive: true });
  const page = await world.open(t, { scope: 'read', at: address('session', sessionKey) });
  await page.getByText('1 event leased, 1 event held back by a lease of the whole queue').waitFor();
});

test('who asked for a queue is found among many other askers', async (t) => {
  await queue.drain({ sessionKey: 'agent:main:asked' });
  for (let i = 0; i < 600; i += 1) await queue.drain({ sessionKey: `agent:main:${i}` });
  const page = await world.open(t, { scope: 'read', at: address('session', 'agent:main:asked') });
  await page.locator('section', { hasText: 'Asked for as' }).getByText('drain').waitFor();
});
