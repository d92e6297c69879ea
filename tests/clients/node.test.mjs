/**
 * What only the client in Node has: AbortSignals, and ids that must not become numbers. By Node's
 * own test runner, against a real server; the other tests of the clients are in Python.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';

const MAIN = 'agent:main:main';
const { Client, SevqError, version } = await import(process.env.SEVQ_MJS);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sevq-node-'));
let server;
let queue;

before(async () => {
  const flags = ['--log-format', 'json', '--listen', '127.0.0.1:0', '--db', `${folder}/sevq.db`];
  const env = { PATH: process.env.PATH, HOME: folder };
  server = spawn(process.env.SEVQD, flags, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of readline.createInterface(server.stderr)) {
    const { msg, address } = JSON.parse(line);
    if (msg !== 'listening') continue;
    queue = new Client({ baseUrl: `http://${address}`, tokenFile: `${folder}/token` });
    break;
  }
  server.stderr.resume();
});

after(async () => {
  queue.close();
  server.kill();
  const [code] = await once(server, 'exit');
  fs.rmSync(folder, { recursive: true });
  assert.equal(code, 0);
});

/** Waits until condition() is true. */
async function until(condition, end = Date.now() + 30000) {
  while (!(await condition())) {
    assert.ok(Date.now() < end, `still waiting for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const stats = () => queue.call('GET', '/v1/stats');

test('an aborted signal ends a wait with its reason', async () => {
  const stop = new AbortController();
  const wait = queue.wait({ sessionKey: MAIN, timeoutMs: 300000 }, { signal: stop.signal });
  await until(async () => (await stats()).waiters === 1);
  stop.abort(new Error('enough'));
  await assert.rejects(wait, /^Error: enough$/);
  await until(async () => (await stats()).waiters === 0);
});

test('a signal that was aborted before lets nothing be sent', async () => {
  const signal = AbortSignal.abort();
  const event = { sessionKey: 'agent:main:none', text: 'x' };
  await assert.rejects(queue.enqueue(event, { signal }), { name: 'AbortError' });
  await assert.rejects(queue.stream({}, { signal }).next(), { name: 'AbortError' });
  assert.equal((await queue.peek({ sessionKey: event.sessionKey })).depth, 0);
});

test('an aborted signal ends a stream, and leaving the loop closes its connection', async () => {
  const stop = new AbortController();
  await queue.enqueue({ sessionKey: MAIN, text: 'x' });
  const stream = queue.stream({ sessionKey: MAIN }, { signal: stop.signal });
  assert.equal((await stream.next()).value.sessionKey, MAIN);
  const next = stream.next();
  stop.abort();
  await assert.rejects(next, { name: 'AbortError' });
  for await (const wakeup of queue.stream({ sessionKey: MAIN })) {
    assert.equal(wakeup.depth, 1);
    break;
  }
  await until(async () => (await stats()).http.streams === 0);
  await queue.drain({ sessionKey: MAIN });
});

test('an aborted signal ends the pause between two attempts', async () => {
  const busy = createServer((socket) => {
    const problem = JSON.stringify({ code: 'queue-full', detail: 'full' });
    const head = ['HTTP/1.1 429 Too Many Requests', 'Content-Type: application/problem+json'];
    head.push('Retry-After: 20', `Content-Length: ${problem.length}`, 'Connection: close');
    socket.once('data', () => socket.end(`${head.join('\r\n')}\r\n\r\n${problem}`));
  }).listen(0, '127.0.0.1');
  await once(busy, 'listening');
  const stop = new AbortController();
  const client = new Client({ baseUrl: `http://127.0.0.1:${busy.address().port}` });
  const call = client.enqueue({ sessionKey: MAIN, text: 'x' }, { signal: stop.signal });
  const [socket] = await once(busy, 'connection');
  await once(socket, 'close');
  stop.abort(new Error('enough'));
  await assert.rejects(call, /^Error: enough$/);
  busy.close();
});

test('an id that became a number is refused', async () => {
  await assert.rejects(queue.ack(9007199254740993), TypeError);
  await assert.rejects(queue.ack('1', { ids: [9007199254740993] }), TypeError);
  await assert.rejects(queue.nack('1', { ids: [1] }), TypeError);
  await assert.rejects(queue.extend(1), TypeError);
  await assert.rejects(queue.ack('1', { ids: ['2'] }), (error) => {
    assert.ok(error instanceof SevqError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.status], ['SevqError', 'not-found', 404]);
    return true;
  });
});

test('a runner leaves nothing behind in its signal', async () => {
  const warnings = [];
  const warn = (warning) => warnings.push(warning);
  process.on('warning', warn);
  const stop = new AbortController();
  const texts = Array.from({ length: 40 }, (_, n) => `text ${n}`);
  const seen = [];
  const running = queue.run(
    { sessionKey: MAIN, limit: 1 },
    async (lease) => {
      seen.push(lease.events[0].text);
      if (seen.length === texts.length) stop.abort();
    },
    { signal: stop.signal },
  );
  await queue.enqueueBatch(texts.map((text) => ({ sessionKey: MAIN, text })));
  await running;
  assert.deepEqual(seen, texts);
  assert.deepEqual(await queue.drain({ sessionKey: MAIN }).then((drained) => drained.events), []);
  process.off('warning', warn);
  assert.deepEqual(warnings, []);
});

test('what a handler throws that is no error fails its events, too', async () => {
  const stop = new AbortController();
  const logged = [];
  await queue.enqueue({ sessionKey: MAIN, text: 'x' });
  await queue.run(
    { sessionKey: MAIN },
    () => {
      if (logged.length === 0) throw undefined;
      stop.abort();
    },
    { signal: stop.signal, backoffMs: 1, log: (message) => logged.push(message) },
  );
  assert.deepEqual(logged, ['the handler failed with 1 events']);
});

test('a runner that may not take events rejects', async () => {
  const client = new Client({ baseUrl: queue.baseUrl, token: 'wrong', retryForMs: 0 });
  await assert.rejects(client.run({ sessionKey: MAIN }, () => {}), { code: 'unauthorized' });
});

test('it is the version of the server, and a package of that version', async () => {
  assert.equal((await queue.call('GET', '/version')).version, version);
  const modules = path.join(folder, 'node_modules');
  fs.mkdirSync(modules);
  fs.symlinkSync(path.dirname(process.env.SEVQ_MJS), path.join(modules, 'sevq'));
  fs.writeFileSync(path.join(folder, 'user.mjs'), "export { version } from 'sevq';");
  const user = await import(pathToFileURL(path.join(folder, 'user.mjs')));
  assert.equal(user.version, version);
  const described = JSON.parse(fs.readFileSync(path.join(modules, 'sevq/package.json')));
  assert.equal(described.version, version);
});
