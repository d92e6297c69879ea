/** Makes calls with client/node/sevq.mjs, for the tests: see Talker in clients.py. */
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const { Client, Retry, SevqError } = await import(process.env.SEVQ_MJS);

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n');

async function stream(client, count, fields) {
  const heard = [];
  for await (const wakeup of client.stream(fields)) if (heard.push(wakeup) === count) break;
  return heard;
}

function call(client, name, ...given) {
  if (name === 'stream') return stream(client, ...given);
  if (name === 'call') return client.call(given[0], given[1], { query: given[2] });
  return client[name](...given);
}

async function outcome(client, words) {
  try {
    return { answer: await call(client, ...words) };
  } catch (error) {
    if (!(error instanceof SevqError)) throw error;
    const { code, status, message, problem, retryAfterMs } = error;
    return { code, status, message, problem, retryAfter: retryAfterMs / 1000 };
  }
}

/** Does what the text of the first event says. */
async function handle(lease, { signal }) {
  say(lease.events.map((event) => event.text));
  for (const { text } of lease.events) {
    const [word, number] = text.split(' ');
    if (word === 'bad') throw new Error('no good');
    if (word === 'later') throw new Retry('not yet', Number(number));
    if (word === 'slow') await sleep(Number(number));
  }
  say(signal.aborted ? 'lost' : 'done');
}

async function run(client, { backoffMs, backoffMaxMs, ...fields }) {
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort());
  const options = { signal: stop.signal, log: (message) => console.error(message) };
  await client.run(fields, handle, { backoffMs, backoffMaxMs, ...options });
  say('stopped');
}

const script = JSON.parse(fs.readFileSync(0));
const { retryFor, timeout, caFile, ...options } = script.client;
if (retryFor !== undefined) options.retryForMs = retryFor * 1000;
if (timeout !== undefined) options.timeoutMs = timeout * 1000;
if (caFile !== undefined) options.ca = fs.readFileSync(caFile);
try {
  const client = new Client(options);
  if (script.run !== undefined) {
    await run(client, script.run);
  } else {
    const said = [];
    for (const words of script.calls) said.push(await outcome(client, words));
    say(said);
  }
} catch (error) {
  if (!(error instanceof SevqError)) throw error;
  say([{ code: error.code, message: error.message }]);
}
