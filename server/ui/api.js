/**
 * Calls of the server. An answer is its JSON; every failure is a Problem.
 *
 * Here: the request, the token in its header, failures. Not here: what a call is for.
 */
import { heard } from './clock.js';
import { parse } from './json.js';
import { token } from './token.js';

/**
 * What the server says of a failure, among it `status`, `title` and `detail`. status 0: there was
 * no answer. retryMs: when the server wants to be asked again, or null.
 */
class Problem extends Error {
  constructor(told) {
    super(told.detail || told.title);
    Object.assign(this, { errors: [], ...told });
  }
}

export const get = (path, query, signal) => call('GET', path, { query, signal });
export const post = (path, body) => call('POST', path, { body });
export const remove = (path, query, body) => call('DELETE', path, { query, body });

const call = async (...asked) => parse(await text(await request(...asked)));

/** The answer itself, for one that does not end; its status is 200. */
export async function request(method, path, { query, body, signal }) {
  const headers = {};
  if (token.text !== null) headers.Authorization = `Bearer ${token.text}`;
  if (body) headers['Content-Type'] = 'application/json';
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
  const given = Object.entries(query).filter(([, value]) => (value ?? '') !== '');
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

const text = (answer) => answer.text().catch(away);

function away(error) {
  if (error.name === 'AbortError') throw error;
  throw new Problem({ status: 0, title: 'The server does not answer' });
}

function problem({ status, headers }, body) {
  const after = headers.get('Retry-After');
  let told = { title: `The server answered ${status}` };
  try {
    told = JSON.parse(body);
  } catch {
    // no JSON: another server stands between
  }
  return new Problem({ ...told, status, retryMs: after && after * 1000 });
}
