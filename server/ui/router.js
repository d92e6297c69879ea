/**
 * Addresses: "#/session/KEY", "#/sessions?problem=any". What is looked at is behind the #, since
 * session keys hold people's ids, and this part of an address reaches no log.
 */
import { queryOf } from './api.js';

/** {name, id, query} of the address; id is decoded, or null. */
export function route() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [name, ...rest] = path.split('/');
  const query = Object.fromEntries(new URLSearchParams(search));
  return { name, id: decoded(rest.join('/')), query };
}

function decoded(text) {
  if (text === '') return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function address(name, id = null, query = {}) {
  return `#/${name}${id === null ? '' : `/${encodeURIComponent(id)}`}${queryOf(query)}`;
}

/** Goes there; with replace the present address is no step of the way back. */
export function go(to, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, '', to);
    dispatchEvent(new HashChangeEvent('hashchange'));
  } else {
    location.hash = to;
  }
}
