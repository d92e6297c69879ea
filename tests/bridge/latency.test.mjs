/**
 * How long the bridge takes from the answer to a producer, which says that the event is on disk, to
 * asking the gateway for a turn: with a real sevqd, and a gateway that only notes the time.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const { Bridge } = await import(pathToFileURL(process.env.BRIDGE_JS));
const { Client } = await import(pathToFileURL(process.env.SEVQ_MJS));
const EVENTS = 500;
const GOAL_MS = 20;

test('from the 201 to the request for a turn', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sevq-bridge-'));
  const flags = ['--log-format', 'json', '--listen', '127.0.0.1:0', '--db', `${folder}/sevq.db`];
  const env = { PATH: process.env.PATH, HOME: folder };
  const server = spawn(process.env.SEVQD, flags, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let address;
  for await (const line of readline.createInterface(server.stderr)) {
    ({ address } = JSON.parse(line));
    if (address) break;
  }
  server.stderr.resume();
  const connect = () =>
    new Client({ baseUrl: `http://${address}`, tokenFile: `${folder}/token`, retryForMs: 0 });
  const queue = connect();
  const host = { warn: assert.fail, info() {}, connected: async () => greeted() };
  let greeted;
  const connected = new Promise((resolve) => (greeted = resolve));
  let asked;
  host.requestTurn = () => asked(performance.now());
  const bridge = new Bridge({ connect, host, consumer: 'test' });
  bridge.start();
  await connected;
  const took = [];
  for (let n = 0; n < EVENTS; n += 1) {
    const turn = new Promise((resolve) => (asked = resolve));
    await queue.enqueue({ sessionKey: `agent:main:${n}`, text: 'x', wake: 'now' });
    const posted = performance.now();
    took.push(Math.max(0, (await turn) - posted));
  }
  await bridge.stop();
  queue.close();
  server.kill();
  assert.equal((await once(server, 'exit'))[0], 0);
  fs.rmSync(folder, { recursive: true });
  took.sort((a, b) => a - b);
  const [median, p99] = [0.5, 0.99].map((part) => took[Math.floor(part * EVENTS)]);
  t.diagnostic(`201 to requestHeartbeat, ${EVENTS} events: median ${median.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`);
  /* the goal is for the p99 of an idle machine; a busy one can only be held to the median */
  assert.ok(median < GOAL_MS, `the median is ${median.toFixed(1)} ms`);
});
