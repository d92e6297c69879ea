/**
 * Calls of the server. An answer is its JSON; every failure is a Problem.
 *
 * Here: the request, the token in its header, failures. Not here: what a call is for.
 */
import { heard } from './clock.js';
import { parse } from './json.js';
import { token } from './token.js';

/** status 0: there was no answer. retryMs: when the server wants to be asked again, or null. */
export class Problem extends Error {
  constructor({ status, code, title, detail, errors }, retryMs = null) {
    super(detail || title);
    Object.assign(this, { status, code, title, detail, errors: errors ?? [], retryMs });
  }
}

export const get = (path, query, signal) => call('GET', path, { query, signal });
export const post = (path, body) => call('POST', path, { body });
export const remove = (path, query, body) => call('DELETE', path, { query, body });

export async function call(method, path, { query, body, signal } = {}) {
  const answer = await request(method, path, { query, body, signal });
  return parse(await text(answer));
}

/** The answer itself, for one that does not end; its status is 200. */
export async function request(method, path, { query, body, signal } = {}) {
  const headers = {};
  if (token.text !== null) headers.Authorization = `Bearer ${token.text}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(path + queryOf(query), {
    method, headers, body: body && JSON.stringify(body), signal, cache: 'no-store',
    credentials: 'omit', redirect: 'error',
  }).catch(away);
  heard(answer.headers.get('Date'));
  if (!answer.ok) throw problem(answer, await text(answer));
  return answer;
}

/** "?a=b" of the members that have a value; "" of none. */
export function queryOf(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

const text = (answer) => answer.text().catch(away);

function away(error) {
  if (error.name === 'AbortError') throw error;
  throw new Problem({ status: 0, code: 'away', title: 'The server does not answer', detail: '' });
}

function problem(answer, body) {
  const seconds = Number(answer.headers.get('Retry-After') ?? NaN);
  const retryMs = Number.isFinite(seconds) ? seconds * 1000 : null;
  try {
    return new Problem({ ...JSON.parse(body), status: answer.status }, retryMs);
  } catch {
    return new Problem({ status: answer.status, code: 'unknown', title: `The server answered ${answer.status}`, detail: '' }, retryMs);
  }
}
