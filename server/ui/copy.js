/** Buttons that copy: a text as it is stored, or a call as curl. */
import { button } from './kit.js';

/** what() gives the text when the button is pressed. */
export const copier = (label, what) =>
  button(label, ({ target }) => copy(target, label, what()));

async function copy(target, label, text) {
  try {
    await navigator.clipboard.writeText(text);
    target.textContent = 'Copied';
  } catch {
    target.textContent = 'Not allowed';
  }
  setTimeout(() => { target.textContent = label; }, 1500);
}

/** The command that makes the same call; the token stays out of it. */
export const curl = (path) =>
  `curl -s -H "Authorization: Bearer $TOKEN" ${quoted(location.origin + path)}`;

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
