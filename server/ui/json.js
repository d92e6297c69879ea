/** JSON whose numbers keep their digits: what a double cannot hold is read as text. */

const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\],:]|true|false|null/g;
const NUMBER = /^-?\d/;
const DEPTH_MAX = 50;

/** JSON.parse, but 9007199254740993 becomes "9007199254740993". */
export function parse(text) {
  return JSON.parse(text.replace(TOKEN, (token) =>
    NUMBER.test(token) && !fits(token) ? `"${token}"` : token));
}

function fits(token) {
  return /^-?\d{1,15}$/.test(token) || String(Number(token)) === token;
}

/** The same JSON with a line for each member; null if it is no object or list, or too deep. */
export function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let out = '';
  let depth = 0;
  let previous = '';
  const line = () => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKEN)) {
    if (isEnd(token)) depth -= 1;
    if (isStart(previous) !== isEnd(token) && (isStart(previous) || isEnd(token))) out += line();
    out += token === ',' ? token + line() : token === ':' ? ': ' : token;
    if (isStart(token)) depth += 1;
    if (depth > DEPTH_MAX) return null;
    previous = token;
  }
  return out;
}

const isStart = (token) => token === '{' || token === '[';
const isEnd = (token) => token === '}' || token === ']';
