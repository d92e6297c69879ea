/**
 * sevq.mjs - a client of sevqd, the durable queue for the system events of agents.
 *
 * One file for Node 18 and later, without dependencies: copy it, or install its directory by npm.
 *
 *     import { Client } from './sevq.mjs';
 *
 *     const queue = new Client(); // finds the server and its token as the command `sevq` does
 *     await queue.enqueue({ sessionKey: 'agent:main:main', text: 'Backup finished' });
 *
 * Here: the calls of the HTTP API as methods, and a runner that handles events and loses none.
 * Not here: what the calls mean, which doc/API.md and doc/DELIVERY.md say. Arguments are objects
 * with the fields of the API, and answers are the server's JSON. Ids are texts, as the server sends
 * them: never make numbers of them, which are exact only up to 2^53.
 *
 * A caller may rely on:
 *  - A failed call is tried again for `retryForMs`, but only where that is safe: if the server has
 *    said that nothing was changed, or if the call has the effect of once when it is carried out
 *    twice. Enqueue, drain and lease carry an idempotency key for that, the same in each attempt.
 *    Pauses double from 0.1 to 5 seconds, are random by half, and are longer by what the server
 *    asks for (Retry-After).
 *  - A failure is a SevqError with a code, a message and the server's problem object.
 *  - Each call takes { signal } as its last argument: an AbortSignal that ends it, also while it
 *    pauses. It then rejects with the signal's reason, and the server may have carried it out.
 *  - Idle connections, at most two, do not keep the process alive.
 */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { isIPv4 } from 'node:net';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

export const version = '0.1.0';

const DEFAULT_URL = 'http://127.0.0.1:7387';
const FILE_BYTES_MAX = 65536;
const ANSWER_BYTES_MAX = 256 << 20; // more than the largest answer of a server
const STREAM_CHARS_MAX = 1 << 20; // of one event of the stream
const CONNECT_MS = 5000;
const IDLE_MS_MAX = 45000; // the server closes an idle connection after 60 seconds
const PAUSE_MS_FIRST = 100;
const PAUSE_MS_MAX = 5000;
const RETRY_AFTER_MS_MAX = 3600000; // a longer one is no server's of ours
const REST_MS_MAX = 60000; // of the runner, after failures in a row
const REASON_CHARS_MAX = 128; // of up to 4 bytes each

/**
 * A call that failed.
 *
 * code: the server's problem code, such as "queue-full", or one of these:
 *   "configuration" (also a certificate that is not trusted), "unreachable": nothing was sent;
 *   "lost", "timed-out", "bad-answer": the server may have carried out the call.
 * status: of the HTTP answer; 0: none came.
 * problem: the server's problem object (RFC 9457), or null.
 * retryAfterMs: how long the server asks to wait before the next attempt; 0: it does not.
 */
export class SevqError extends Error {
  constructor(code, message, status = 0, problem = null, retryAfterMs = 0) {
    super(message);
    Object.assign(this, { name: 'SevqError', code, status, problem, retryAfterMs });
  }

  /** Whether the call changed nothing and may succeed if it is repeated later. */
  get changedNothing() {
    const told = this.problem !== null && [408, 429, 503, 507].includes(this.status);
    return told || this.code === 'unreachable';
  }
}

/**
 * Thrown by the handler of a runner: the failure is temporary. The events are given back, no
 * attempt is counted, and they come again after delayMs.
 */
export class Retry extends Error {
  constructor(reason = '', delayMs = 0) {
    super(reason);
    Object.assign(this, { name: 'Retry', delayMs });
  }
}

// --- finding the server: client/endpoint.c has the reasons ---

const refused = (message) => new SevqError('configuration', message);

/** The address of a server: http://host[:port][/prefix], https://... or unix:/path. */
function readUrl(text) {
  if (!/^[^\s\p{C}]+$/u.test(text)) throw refused(`${JSON.stringify(text)}: not a valid URL`);
  if (text.startsWith('unix:')) {
    const socketPath = text.slice('unix:'.length);
    if (!socketPath.startsWith('/'))
      throw refused(`${text}: the path of a unix socket must start with a slash`);
    return { text, local: true, prefix: '', options: { socketPath, host: 'localhost' } };
  }
  if (!/^https?:\/\//i.test(text))
    throw refused(`${text}: a server's address must start with http://, https:// or unix:`);
  let url;
  try {
    url = new URL(text);
  } catch {
    throw refused(`${text}: not a valid URL`);
  }
  if (url.username || url.password)
    throw refused("a server's address must not contain a user or password; use a token");
  if (/[?#]/.test(text))
    throw refused(`${text}: a server's address must not contain a query or fragment`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    text: text.replace(/\/+$/, ''),
    tls: url.protocol === 'https:',
    local: host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.')),
    prefix: url.pathname.replace(/\/+$/, ''),
    options: { host, port: url.port || undefined },
  };
}

const variable = (name) => process.env[name] || undefined;

/**
 * Reads a small file that has none of the permission bits openTo. ours: it must also belong to this
 * user, and not be a symbolic link.
 */
function readPrivate(path, openTo, ours = false) {
  const { O_RDONLY, O_NOCTTY, O_NONBLOCK, O_NOFOLLOW } = fs.constants;
  let fd;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | (ours ? O_NOFOLLOW : 0));
    const info = fs.fstatSync(fd);
    if (!info.isFile()) throw refused(`${path}: not a regular file`);
    if (ours && info.uid !== process.geteuid()) throw refused(`${path}: belongs to another user`);
    if (info.mode & openTo) {
      const mode = (info.mode & 0o777).toString(8).padStart(3, '0');
      throw refused(`${path}: open to others (mode ${mode}); run chmod 600 on it`);
    }
    if (info.size > FILE_BYTES_MAX) throw refused(`${path}: too long`);
    return fs.readFileSync(fd, 'latin1');
  } catch (error) {
    throw error instanceof SevqError ? error : refused(error.message);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

/** The token becomes part of a header line, so it must be one word of printable ASCII. */
function checkToken(word, where) {
  if (!word) throw refused(`${where}: contains no token`);
  if (!/^[!-~]+$/.test(word)) throw refused(`${where}: a token is one word of printable ASCII`);
  return word;
}

/**
 * The first token of a token file, which may be the server's own: one token in each line, with its
 * scopes behind it, and lines with # as comments. Lines with a digest hold no token.
 */
function readTokenFile(path, ours = false) {
  const lines = readPrivate(path, 0o077, ours).split('\n').map((line) => line.trim());
  const first = lines.find((line) => line !== '' && !/^(#|sha256:)/.test(line)) ?? '';
  return checkToken(first.split(/\s/)[0], path);
}

/**
 * Whether the process with this pid belongs to this user and has this start time (field 22 of
 * /proc/PID/stat): pids are reused.
 */
function runs(pid, startTime) {
  try {
    const path = `/proc/${pid}/stat`;
    const owner = fs.statSync(path).uid;
    // the second field is a name in parentheses, and may hold any character
    const fields = fs.readFileSync(path, 'latin1').replace(/^.*\)/s, '').trim().split(' ');
    return owner === process.geteuid() && Number(fields[19]) === startTime;
  } catch {
    return false;
  }
}

/**
 * What a running sevqd of this user says in its runtime file: the addresses of its listeners, first
 * the one to use, and the path of its token file or null. Without such a server there are none.
 */
function readRuntime() {
  const none = { listens: [], tokenFile: null };
  let state = variable('XDG_STATE_HOME');
  if (!state?.startsWith('/')) state = variable('HOME') && variable('HOME') + '/.local/state';
  const path = `${state}/sevq/sevqd.json`;
  if (!state || !fs.existsSync(path)) return none;
  const text = Buffer.from(readPrivate(path, 0o022, true), 'latin1').toString();
  let runtime = null;
  try {
    runtime = JSON.parse(text);
  } catch {
    // not JSON: damaged
  }
  const { address, listens: others, tokenFile = null, pid, startTime } = runtime ?? {};
  const listens = [address].concat(others ?? []);
  if (
    !Number.isInteger(pid) ||
    !listens.every((url) => typeof url === 'string') ||
    (tokenFile !== null && !(typeof tokenFile === 'string' && tokenFile.startsWith('/')))
  )
    throw refused(`${path}: damaged; remove it, or give the server's address`);
  return runs(pid, startTime) ? { listens, tokenFile } : none;
}

/**
 * The address and the token, in the order that Client documents. The token of the runtime file is
 * sent only to the addresses in that file, and only while its server runs: whoever else listens
 * there must not learn it.
 */
function findServer({ baseUrl, token, tokenFile }) {
  const named = baseUrl ?? variable('SEVQ_URL');
  let url = named === undefined ? undefined : readUrl(named);
  const runtime = url === undefined || url.local ? readRuntime() : { listens: [], tokenFile: null };
  url ??= readUrl(runtime.listens[0] ?? DEFAULT_URL);
  if (token !== undefined) return { url, token: checkToken(token.trim(), 'the token given') };
  if (tokenFile !== undefined) return { url, token: readTokenFile(tokenFile) };
  if (variable('SEVQ_TOKEN'))
    return { url, token: checkToken(variable('SEVQ_TOKEN').trim(), 'SEVQ_TOKEN') };
  if (variable('SEVQ_TOKEN_FILE'))
    return { url, token: readTokenFile(variable('SEVQ_TOKEN_FILE')) };
  const ours = runtime.listens.some((address) => address.replace(/\/+$/, '') === url.text);
  if (!ours || runtime.tokenFile === null) return { url, token: undefined };
  return { url, token: readTokenFile(runtime.tokenFile, true) };
}

// --- requests and answers ---

/** The fields as a query string, with its question mark. What is null or undefined is left out. */
function query(fields = {}) {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return text && '?' + text;
}

function leasePath(leaseId, action) {
  checkId(leaseId);
  return `/v1/leases/${encodeURIComponent(leaseId)}/${action}`;
}

/** An id that has become a number may have become another id. */
function checkId(id) {
  if (typeof id !== 'string') throw new TypeError('an id is a string, as the server sends it');
}

/** An idempotency key as a string of RFC 8941. */
function quoted(key) {
  if (!/^[ -~]{1,255}$/.test(key))
    throw refused('an idempotency key is 1 to 255 characters of printable ASCII');
  return `"${key.replace(/["\\]/g, '\\$&')}"`;
}

/** The milliseconds of a Retry-After header, which is a number of seconds or a date; 0: neither. */
function readRetryAfter(text = '') {
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, RETRY_AFTER_MS_MAX) : 0;
}

/** What is wrong, as a sentence: each field that a problem names, or else its detail. */
function messageOf(problem) {
  const errors = Array.isArray(problem.errors) ? problem.errors : [];
  const fields = errors.map((error) => `${error?.detail} (${error?.pointer})`).join('; ');
  const message = String(fields || problem.detail || problem.title || problem.code);
  if (problem.code !== 'unauthorized') return message;
  return message + "; give the server's token with tokenFile or SEVQ_TOKEN_FILE";
}

/** Reads server-sent events; yields the data of those named wake, with the last id so far. */
async function* wakeups(response) {
  let rest = '';
  let name = '';
  let id = '';
  let data = [];
  response.setEncoding('utf8');
  for await (const text of response) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines.map((each) => each.replace(/\r$/, ''))) {
      const [, field, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (field === 'event') name = value;
      else if (field === 'id' && /^[ -~]*$/.test(value)) id = value; // it becomes a header
      else if (field === 'data') data.push(value);
      else if (line === '') {
        if (name === 'wake' && data.length > 0) yield readWakeup(data.join('\n'), id);
        name = '';
        data = [];
      }
    }
    if (data.reduce((sum, each) => sum + each.length, rest.length) > STREAM_CHARS_MAX)
      throw new SevqError('bad-answer', 'an event of the stream is too long');
  }
}

function readWakeup(text, id) {
  try {
    const wakeup = JSON.parse(text);
    if (isObject(wakeup)) return { ...wakeup, id };
  } catch {
    // not JSON
  }
  throw new SevqError('bad-answer', 'a wakeup of the stream is not valid JSON');
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Exchanges with one server over connections that are kept. */
class Http {
  constructor(url, token, timeoutMs, ca) {
    this.url = url;
    this.timeoutMs = timeoutMs;
    this.headers = { 'User-Agent': 'sevq.mjs/' + version };
    if (token !== undefined) this.headers.Authorization = `Bearer ${token}`;
    this.library = url.tls ? https : http;
    this.agent = new this.library.Agent({
      keepAlive: true,
      maxFreeSockets: 2,
      timeout: IDLE_MS_MAX,
      ca,
    });
  }

  /** Sends a request and returns its response, whose body is still to be read. */
  async send(method, target, { body, headers, timeoutMs, signal } = {}) {
    let connected = false;
    let connecting;
    const request = this.library.request({
      ...this.url.options,
      method,
      path: this.url.prefix + target,
      headers: { ...this.headers, ...headers, ...(body && { 'Content-Length': body.length }) },
      agent: this.agent,
      signal,
    });
    request.setTimeout(timeoutMs ?? this.timeoutMs, () => request.destroy(new Error('silence')));
    request.on('socket', (socket) => {
      const done = () => {
        connected = true;
        clearTimeout(connecting);
      };
      if (!socket.connecting && request.reusedSocket) return done();
      connecting = setTimeout(() => request.destroy(new Error('timed out')), CONNECT_MS);
      socket.once(this.url.tls ? 'secureConnect' : 'connect', done);
    });
    try {
      return await new Promise((resolve, reject) => {
        request.on('response', resolve);
        request.on('error', reject); // also errors that come later, of which the response tells
        request.end(body);
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw connected ? this.failure(error) : this.unconnected(error, request.socket);
    } finally {
      clearTimeout(connecting);
    }
  }

  /** Why no connection came about. A bad certificate stays bad: nobody should wait for it. */
  unconnected(error, socket) {
    const where = this.url.text;
    if (socket?.authorizationError) {
      const alone = /ISSUER|SELF_SIGNED|UNABLE_TO_VERIFY/.test(error.code); // nobody vouches for it
      const advice = alone ? '; to trust it, give its authority as ca' : '';
      return refused(`the certificate of ${where} is not trusted: ${error.message}${advice}`);
    }
    const plain = /wrong version number|record layer failure/.test(error.message);
    const why = plain ? 'nobody speaks TLS there' : error.message;
    return new SevqError('unreachable', `cannot connect to ${where}: ${why}`);
  }

  /** A connection that failed after the request was sent, as a SevqError. */
  failure(error) {
    const where = this.url.text;
    if (error instanceof SevqError) return error;
    if (error.message === 'silence')
      return new SevqError(
        'timed-out',
        `no answer from ${where} in time; the call may have been carried out`,
      );
    if (error.code?.startsWith('HPE_') && error.code !== 'HPE_INVALID_EOF_STATE')
      return new SevqError('bad-answer', `${where} is no sevqd: ${error.message}`);
    return new SevqError(
      'lost',
      `lost the connection to ${where} before its answer; the call may have been carried out: ` +
        error.message,
    );
  }

  /** The JSON of an answer. Throws a problem as a SevqError. */
  async readAnswer(response, signal) {
    const chunks = [];
    let length = 0;
    try {
      for await (const chunk of response) {
        length += chunk.length;
        if (length > ANSWER_BYTES_MAX)
          throw new SevqError('bad-answer', `the answer of ${this.url.text} is too large`);
        chunks.push(chunk);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw this.failure(error);
    }
    let answer;
    try {
      answer = JSON.parse(Buffer.concat(chunks).toString());
    } catch {
      // not JSON
    }
    const kind = kindOf(response);
    const { statusCode: status } = response;
    const wanted = status >= 200 && status < 300 && kind === 'application/json';
    if (wanted && isObject(answer)) return answer;
    const isProblem = status >= 400 && kind === 'application/problem+json' && isObject(answer);
    throw this.errorOf(response, isProblem ? answer : {});
  }

  errorOf(response, problem) {
    const { statusCode: status } = response;
    const after = readRetryAfter(response.headers['retry-after']);
    if (typeof problem.code === 'string')
      return new SevqError(problem.code, messageOf(problem), status, problem, after);
    const where = this.url.text;
    if ([502, 503, 504].includes(status)) {
      // a proxy lost the server, or cannot reach it
      const message = `a proxy in front of ${where} answered with HTTP status ${status}`;
      return new SevqError('lost', message, status, null, after);
    }
    const message = `${where} is no sevqd: unexpected answer with HTTP status ${status}`;
    return new SevqError('bad-answer', message, status);
  }
}

const kindOf = (response) =>
  (response.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();

/** The attempts of one call: decides after a failure whether there is another, and pauses. */
class Attempts {
  constructor(ms, repeatable, signal) {
    Object.assign(this, { ms, repeatable, signal });
    this.restart();
  }

  restart() {
    this.end = performance.now() + this.ms;
    this.count = 0;
  }

  /** Returns when the next attempt is due. Throws the error if there is none. */
  async fail(error) {
    if (!(error instanceof SevqError)) throw error;
    const safe = this.repeatable && ['lost', 'timed-out'].includes(error.code);
    const longest = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** this.count);
    const pause = longest * (0.5 + Math.random() / 2) + error.retryAfterMs;
    this.count += 1;
    if (!(error.changedNothing || safe) || performance.now() + pause > this.end) throw error;
    await sleep(pause, undefined, { signal: this.signal }).catch(() => {
      throw this.signal.reason;
    });
  }
}

// --- the calls ---

/**
 * Makes the calls of one server.
 *
 * Address and token are looked for in this order:
 *  1. the options: baseUrl ("http://127.0.0.1:7387", "https://host/prefix", "unix:/path"), token,
 *     tokenFile;
 *  2. the environment variables SEVQ_URL, SEVQ_TOKEN and SEVQ_TOKEN_FILE;
 *  3. the file sevqd.json that a running sevqd of this user keeps in $XDG_STATE_HOME/sevq (without
 *     that variable, ~/.local/state/sevq);
 *  4. http://127.0.0.1:7387, without a token: whoever listens there may be anybody.
 * A token found by 3 is sent only to the addresses that the file names. A token file must be a
 * regular file that nobody else can read; its first token is used.
 *
 * timeoutMs: how long the server may be silent before an answer, and within one.
 * retryForMs: for how long a failed call is tried again; 0: never.
 * ca: the certificates to trust for https, instead of those of Node.
 */
export class Client {
  #http;
  #retryForMs;

  constructor({ baseUrl, token, tokenFile, timeoutMs = 30000, retryForMs = 30000, ca } = {}) {
    const found = findServer({ baseUrl, token, tokenFile });
    this.baseUrl = found.url.text; // as it was given or found
    this.#retryForMs = retryForMs;
    this.#http = new Http(found.url, found.token, timeoutMs, ca);
  }

  /** Closes idle connections. The client may still be used. */
  close() {
    this.#http.agent.destroy();
  }

  // Producing.

  /**
   * Enqueues an event: { sessionKey or agentId, text, ... }; returns { outcome: "queued",
   * "replaced" or "duplicate", event }. When it returns, the event is on disk.
   *
   * With an idempotencyKey it is one event for 24 hours, also if another process sends it again,
   * and never a duplicate of a queued one. Without it the attempts of this call share a key of
   * their own.
   */
  async enqueue(event, { signal } = {}) {
    if (event.idempotencyKey !== undefined)
      return this.#call('POST', '/v1/events', { body: event, repeatable: true, signal });
    // the key of a batch is no event's own, so that duplicates are still found
    return (await this.enqueueBatch([event], { signal }))[0];
  }

  /**
   * Enqueues all of the events or none, in one transaction; returns a list of what enqueue returns.
   */
  async enqueueBatch(events, { idempotencyKey = this.#newKey(), signal } = {}) {
    const wanted = { body: { events }, key: idempotencyKey, signal };
    const { results } = await this.#call('POST', '/v1/events', wanted);
    if (!Array.isArray(results) || results.length !== events.length)
      throw this.#badAnswer('has not one result for each event');
    return results;
  }

  // Looking.

  /**
   * Returns the oldest events of { sessionKey, limit, after } and leaves them: { events, depth,
   * more }.
   */
  peek(fields, { signal } = {}) {
    return this.#call('GET', '/v1/events', { query: fields, signal });
  }

  /** Returns the queue that { sessionKey } is routed to, and why: { sessionKey, rule, steps }. */
  route(fields, { signal } = {}) {
    return this.#call('POST', '/v1/route', { body: fields, repeatable: true, signal });
  }

  /**
   * Returns events that have left their queues, newest first: { events, nextCursor }. sessionKey,
   * state, source, since, until, limit and cursor select them.
   */
  history(fields = {}, { signal } = {}) {
    return this.#call('GET', '/v1/history', { query: fields, signal });
  }

  /**
   * Makes any other call of the API: call("GET", "/v1/sessions", { query: { agentId: "main" } }).
   * It is tried again if nothing was changed; a GET also if its answer was lost.
   */
  call(method, path, { query: fields, body, signal } = {}) {
    return this.#call(method, path, { query: fields, body, signal });
  }

  // Taking events for good.

  /**
   * Takes the oldest events of { sessionKey, limit, ... } out of the queue: { events, remaining }.
   * If this process dies before it has handled them they are lost; see lease.
   */
  drain({ idempotencyKey = this.#newKey(), ...fields }, { signal } = {}) {
    return this.#call('POST', '/v1/drain', { body: fields, key: idempotencyKey, signal });
  }

  // Taking events under a lease.

  /**
   * Takes the oldest events of { sessionKey, limit, leaseMs, ... } for leaseMs (60 seconds):
   * { leaseId, expiresAt, events }. leaseId is null if there is nothing to take. What is not acked
   * in time can be taken again.
   */
  lease({ idempotencyKey = this.#newKey(), ...fields }, { signal } = {}) {
    return this.#call('POST', '/v1/leases', { body: fields, key: idempotencyKey, signal });
  }

  /**
   * Finishes all events of the lease, or those of { ids }: { acked, remaining }, and gone: ids of
   * events that were withdrawn, purged or expired meanwhile. Error "conflict": the lease has ended,
   * nothing was changed, and the events come again.
   */
  async ack(leaseId, fields = {}, { signal } = {}) {
    fields.ids?.forEach(checkId);
    const wanted = { body: fields, repeatable: true, signal };
    return this.#call('POST', leasePath(leaseId, 'ack'), wanted);
  }

  /**
   * Gives events back to the queue: { nacked, dead, remaining }, and gone. Fields are ids, delayMs,
   * reason and countAttempt.
   */
  async nack(leaseId, fields = {}, { signal } = {}) {
    fields.ids?.forEach(checkId);
    return this.#call('POST', leasePath(leaseId, 'nack'), { body: fields, signal });
  }

  /** Sets the end of the lease to leaseMs from now: { extended, expiresAt, remaining }, gone. */
  async extend(leaseId, fields = {}, { signal } = {}) {
    fields.ids?.forEach(checkId);
    const wanted = { body: fields, repeatable: true, signal };
    return this.#call('POST', leasePath(leaseId, 'extend'), wanted);
  }

  // Waiting.

  /**
   * Returns when the session has an event to take, or after timeoutMs (at most 5 minutes): { ready,
   * depth }. Takes nothing.
   */
  wait(fields, { signal } = {}) {
    return this.#wait(fields, this.#retryForMs, signal);
  }

  /**
   * Yields a wakeup for each session that has events, and then whenever events arrive: { id,
   * sessionKey, depth, source, wake, ts }. sessionKey, agentId and prefix select sessions.
   *
   * If the connection is lost, or silent for silenceMs, it connects again, with the id of the last
   * wakeup; the server then tells of every session that has events. lastEventId is the id of an
   * earlier stream's last wakeup. To end it leave the loop, or abort the signal.
   */
  async *stream({ lastEventId, silenceMs = 45000, ...fields } = {}, { signal } = {}) {
    const attempts = new Attempts(this.#retryForMs, true, signal);
    const target = '/v1/stream' + query(fields);
    for (;;) {
      const headers = { Accept: 'text/event-stream' };
      if (lastEventId !== undefined) headers['Last-Event-ID'] = lastEventId;
      try {
        signal?.throwIfAborted();
        const wanted = { headers, timeoutMs: silenceMs, signal };
        for await (const wakeup of this.#connectedStream(target, wanted, attempts)) {
          lastEventId = wakeup.id;
          yield wakeup;
        }
      } catch (error) {
        await attempts.fail(error);
      }
    }
  }

  // Running a handler.

  /**
   * Calls handler(lease, { signal }) whenever the session of { sessionKey, ... } has events, and
   * acks them when its promise is fulfilled. Fields are those of a lease, such as agentId, limit
   * (20), leaseMs (60000), format: "prompt" or exclusive: true.
   *
   * The lease is extended while the handler runs, unless the handler blocks the event loop; the
   * handler's signal is aborted if the lease is lost, because others may have its events then. If
   * the process dies, the events come again: the handler must tolerate seeing an event twice. If
   * the handler throws, several events are given back and the next lease has half as many, until
   * the culprit is alone; it collects an attempt, and comes again after a delay that doubles from
   * backoffMs to backoffMaxMs. Retry gives events back without counting an attempt.
   *
   * It waits for a server that is away. It returns after signal was aborted, when the handler has
   * ended. log(message, error) is told of failures.
   */
  async run(fields, handler, { signal, backoffMs = 1000, backoffMaxMs = 3600000, log } = {}) {
    await new Runner(this, this.#internals(), fields, handler, {
      signal: signal ?? new AbortController().signal,
      backoffMs,
      backoffMaxMs,
      log: log ?? ((message, error) => console.error('sevq:', message, error ?? '')),
    }).run();
  }

  // Inside.

  /** A key that only the attempts of one call share; undefined if there is only one attempt. */
  #newKey() {
    return this.#retryForMs > 0 ? randomUUID() : undefined;
  }

  #internals() {
    return {
      call: (...given) => this.#call(...given),
      wait: (...given) => this.#wait(...given),
      badAnswer: (why) => this.#badAnswer(why),
    };
  }

  /**
   * signal aborts the call. hurry: a signal that lets no further attempt follow. The other names
   * are those of Attempts and Http.
   */
  async #call(method, path, wanted) {
    const { query: fields, key, repeatable, timeoutMs, signal, hurry } = wanted;
    const headers = {};
    let body;
    if (key !== undefined) headers['Idempotency-Key'] = quoted(key);
    if (wanted.body !== undefined) {
      body = Buffer.from(JSON.stringify(wanted.body));
      headers['Content-Type'] = 'application/json';
    }
    const safe = repeatable || key !== undefined || method === 'GET';
    const attempts = new Attempts(wanted.retryForMs ?? this.#retryForMs, safe, signal ?? hurry);
    const target = path + query(fields);
    for (;;) {
      try {
        signal?.throwIfAborted();
        const sent = { body, headers, timeoutMs, signal };
        return await this.#http.readAnswer(await this.#http.send(method, target, sent), signal);
      } catch (error) {
        if (hurry?.aborted) throw error;
        await attempts.fail(error);
      }
    }
  }

  #badAnswer(why) {
    return new SevqError('bad-answer', `${this.baseUrl} is no sevqd: the answer ${why}`);
  }

  #wait({ timeoutMs = 30000, ...fields }, retryForMs, signal) {
    return this.#call('GET', '/v1/wait', {
      query: { ...fields, timeoutMs },
      timeoutMs: this.#http.timeoutMs + timeoutMs,
      retryForMs,
      signal,
    });
  }

  /** Yields the wakeups of one connection, whose end is a SevqError. */
  async *#connectedStream(target, wanted, attempts) {
    const response = await this.#http.send('GET', target, wanted);
    try {
      if (kindOf(response) !== 'text/event-stream') {
        await this.#http.readAnswer(response, wanted.signal);
        throw this.#badAnswer('is no stream');
      }
      attempts.restart();
      yield* wakeups(response);
    } catch (error) {
      wanted.signal?.throwIfAborted();
      throw this.#http.failure(error);
    }
    throw new SevqError('lost', `the stream of ${this.baseUrl} has ended`);
  }
}

// --- the runner ---

/** Waits, leases, calls the handler, acks or gives back, and again, as `sevq run` does. */
class Runner {
  constructor(client, internals, { limit = 20, leaseMs = 60000, ...fields }, handler, options) {
    Object.assign(this, { client, ...internals, limit, leaseMs, fields, handler }, options);
    this.width = limit; // most events of the next lease: halved by a failure, doubled by success
    this.failures = 0; // in a row, of an event alone or temporary
    this.missed = 0; // times in a row that the events were gone when they were to be leased
  }

  async run() {
    const wanted = { ...this.fields, consumer: undefined, exact: undefined }; // of leases alone
    try {
      while (!this.signal.aborted) {
        const { ready } = await this.wait(wanted, Infinity, this.signal);
        if (typeof ready !== 'boolean') throw this.badAnswer('has no ready');
        if (ready) await this.#round();
      }
    } catch (error) {
      if (!this.signal.aborted) throw error;
    }
  }

  async #round() {
    const lease = await this.#take();
    if (lease.leaseId === null) {
      // another consumer was faster
      await this.#pause(Math.min(1000, 50 * 2 ** this.missed));
      this.missed += 1;
      return;
    }
    this.missed = 0;
    if (this.signal.aborted)
      await this.#giveBack(lease, 'the runner was stopped', { countAttempt: false });
    else await this.#settle(lease, await this.#handle(lease));
  }

  /** A lease with what the runner knows of it: until, its end or a little before, and lost. */
  async #take() {
    const began = performance.now();
    const consumer = `sevq.mjs, ${os.hostname().slice(0, 64)}, ${process.pid}`;
    const answer = await this.call('POST', '/v1/leases', {
      body: { consumer, ...this.fields, leaseMs: this.leaseMs, limit: this.width },
      key: randomUUID(),
      retryForMs: Infinity,
      hurry: this.signal,
    });
    if (answer.leaseId !== null && typeof answer.leaseId !== 'string')
      throw this.badAnswer('has no leaseId');
    if (!Array.isArray(answer.events)) throw this.badAnswer('has no events');
    const lease = { ...answer, answer, until: began + this.leaseMs, lost: new AbortController() };
    if (lease.leaseId !== null && performance.now() - began > this.leaseMs / 3)
      await this.#extend(lease); // it may be as old as the first of several attempts
    return lease;
  }

  /** false: the server could not be told, or the lease is lost. */
  async #extend(lease) {
    const began = performance.now();
    try {
      const wanted = { body: { leaseMs: this.leaseMs }, retryForMs: 0 };
      await this.call('POST', leasePath(lease.leaseId, 'extend'), wanted);
    } catch (error) {
      this.#noteLoss(lease, error);
      return false;
    }
    lease.until = began + this.leaseMs;
    return true;
  }

  #noteLoss(lease, error) {
    if (!['conflict', 'not-found'].includes(error.code)) return;
    this.log(`lost lease ${lease.leaseId} (${error.code}): its events come again`);
    lease.lost.abort(error);
  }

  /** Calls the handler and extends the lease meanwhile. Returns what the handler has thrown. */
  async #handle(lease) {
    const done = new AbortController();
    const kept = this.#keep(lease, done.signal);
    try {
      await this.handler(lease.answer, { signal: lease.lost.signal });
    } catch (error) {
      return { error };
    } finally {
      done.abort();
      await kept;
    }
    return null;
  }

  async #keep(lease, done) {
    const third = this.leaseMs / 3;
    let pause = third;
    while (!lease.lost.signal.aborted) {
      await sleep(pause, undefined, { signal: done }).catch(() => {});
      if (done.aborted) return;
      pause = (await this.#extend(lease)) ? third : Math.min(1000, third);
    }
  }

  /** Acks or gives back, and learns from it how many events the next lease has. */
  async #settle(lease, failure) {
    if (failure === null) {
      this.failures = 0;
      this.width = Math.min(2 * this.width, this.limit);
      return this.#end(lease, 'ack', {});
    }
    const { error } = failure;
    const count = lease.events.length;
    const reason = String(error?.message || error);
    if (error instanceof Retry) {
      await this.#giveBack(lease, reason, { delayMs: error.delayMs, countAttempt: false });
    } else {
      this.log(`the handler failed with ${count} events`, error);
      if (count > 1) {
        this.width = Math.floor(count / 2);
        return this.#giveBack(lease, reason, { countAttempt: false });
      }
      await this.#giveBack(lease, reason, { delayMs: this.#backoff(lease.events[0].attempts) });
    }
    await this.#pause(Math.min(REST_MS_MAX, this.#backoff(this.failures)));
    this.failures += 1;
  }

  #backoff(failures) {
    return Math.min(this.backoffMs * 2 ** failures, this.backoffMaxMs);
  }

  /** Pauses until the runner is stopped. */
  async #pause(ms) {
    await sleep(ms, undefined, { signal: this.signal }).catch(() => {});
  }

  #giveBack(lease, reason, fields) {
    const cut = [...reason].slice(0, REASON_CHARS_MAX).join('');
    return this.#end(lease, 'nack', { reason: cut, ...fields });
  }

  /**
   * Acks or nacks; while the server is away, until the lease has ended. Even a nack may be repeated
   * here: the second one finds that the lease has ended, which changes nothing.
   */
  async #end(lease, action, body) {
    if (lease.lost.signal.aborted) return;
    const retryForMs = lease.until - performance.now();
    const wanted = { body, repeatable: true, retryForMs, hurry: this.signal };
    try {
      const answer = await this.call('POST', leasePath(lease.leaseId, action), wanted);
      if (answer.gone?.length) this.log(`events were removed while they were leased: ${answer.gone}`);
    } catch (error) {
      this.#noteLoss(lease, error);
      if (lease.lost.signal.aborted) return;
      if (!error.changedNothing && !['lost', 'timed-out'].includes(error.code)) throw error;
      const told = `no ${action} of lease ${lease.leaseId}: its events come again`;
      this.log(told, error);
    }
  }
}
