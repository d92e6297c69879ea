/** Buttons that copy: a text as it is stored, or a call as curl. */
import { h } from './dom.js';

/** what() gives the text when the button is pressed. */
export function copier(label, what) {
  return h('button', { type: 'button', onclick: ({ target }) => copy(target, label, what()) }, label);
}

async function copy(button, label, text) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
  } catch {
    button.textContent = 'The browser does not allow it';
  }
  setTimeout(() => { button.textContent = label; }, 1500);
}

/** The command that makes the same call; the token stays out of it. */
export function curl(path) {
  return `curl -s -H "Authorization: Bearer $TOKEN" ${quoted(location.origin + path)}`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
