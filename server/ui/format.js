/** Numbers, sizes, durations and foreign text as people read them. Knows nothing of the page. */

const NUMBERS = new Intl.NumberFormat('en');
const TIMES = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export const count = (n) => NUMBERS.format(n);
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;

export function bytes(n) {
  const step = n < 1024 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), UNITS.length - 1);
  const value = n / 1024 ** step;
  return `${step > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[step]}`;
}

/** Two units at most: "41 s", "2 h 14 min", "3 d 4 h". */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const at = TIMES.findIndex(([, size]) => seconds >= size);
  const [unit, size] = TIMES.at(at);
  const [smaller, step] = TIMES[at + 1] ?? [];
  const rest = Math.floor(seconds % size / step);
  return `${Math.floor(seconds / size)} ${unit}${rest > 0 ? ` ${rest} ${smaller}` : ''}`;
}

export const perSecond = (n) => `${n < 10 ? n.toFixed(1) : count(Math.round(n))}/s`;

/**
 * What a reader would not see, or see in another place: control characters, those that direct
 * writing, lone surrogates, spaces of other kinds. A variation selector after an emoji is left.
 */
const HIDDEN = /\p{ExtPict}\ufe0f|(?![\n\t])[\p{C}\p{Zl}\p{Zp}\p{DI}\u2800]|[^\P{Zs} ]/gu;

/** Text as pieces: {text} as it is, {code} for a character spelled out. */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match[0].endsWith('\ufe0f') && match[0].length > 1) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push({ code: codePoint(match[0]) });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

const codePoint = (character) => `\\u{${character.codePointAt(0).toString(16)}}`;

export const spelled = (text) => pieces(text).map((piece) => piece.code ?? piece.text).join('');

/** The first characters of a text that fit into so many bytes of UTF-8. */
export function firstBytes(text, limit) {
  const room = new Uint8Array(limit);
  return text.slice(0, new TextEncoder().encodeInto(text, room).read);
}

export const byteLength = (text) => new TextEncoder().encode(text).length;

/** How much all these keys begin with, in whole parts. */
export function commonPrefix(keys) {
  if (keys.length === 0) return '';
  let prefix = keys[0].slice(0, keys[0].lastIndexOf(':') + 1);
  for (const key of keys)
    while (!key.startsWith(prefix))
      prefix = prefix.slice(0, prefix.lastIndexOf(':', prefix.length - 2) + 1);
  return prefix;
}
