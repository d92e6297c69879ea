/** How texts, numbers and JSON are put into characters; without a browser. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

/** A module of the page that includes no other. */
function load(name) {
  const source = fs.readFileSync(path.join(process.env.SOURCES, 'server/ui', name), 'utf8');
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
}

const { bytes, commonPrefix, duration, firstBytes, spelled } = await load('format.js');
const { parse, pretty } = await load('json.js');

test('what a reader would not see is spelled out, and nothing else', () => {
  const seen = { 'a\u202eb': 'a\\u{202e}b', '\u0007': '\\u{7}', 'a\u00a0b': 'a\\u{a0}b',
    '\ud800': '\\u{d800}', '\u3164\u2800': '\\u{3164}\\u{2800}',
    '\u{e0041}': '\\u{e0041}', '\u200b\ufeff': '\\u{200b}\\u{feff}' };
  for (const [text, shown] of Object.entries(seen)) assert.equal(spelled(text), shown);
  for (const text of ['a b\n\tc', 'Grüße, עברית, 日本', '❤\ufe0f \u{1f600}', '\\u{202e}', ''])
    assert.equal(spelled(text), text);
});

test('numbers that a double cannot hold keep their digits', () => {
  const text = '{"a":9007199254740993,"b":[1,-2.5,1e400],' +
    '"c":"9007199254740993 \\" 12345678901234567890","d":1e3}';
  assert.deepEqual(parse(text), { a: '9007199254740993', b: [1, -2.5, '1e400'],
    c: '9007199254740993 " 12345678901234567890', d: '1e3' });
});

test('JSON gets lines, and no digit or sign of it changes', () => {
  const text = '{"a":[],"b":{},"c":[1,{"d":"x, {y}: [z]"}],"e":1.50,"f":12345678901234567890}';
  const formed = pretty(text);
  assert.equal(formed.replaceAll(/\n\s*|(?<=":) /g, ''), text);
  const lines = ['{', '  "a": [],', '  "b": {},', '  "c": [', '    1,', '    {',
    '      "d": "x, {y}: [z]"', '    }', '  ],'];
  assert.deepEqual(formed.split('\n').slice(0, lines.length), lines);
  for (const none of ['12', 'text', '{"a":', '['.repeat(60) + ']'.repeat(60)])
    assert.equal(pretty(none), null);
});

test('durations and sizes have two units at most', () => {
  const said = { 0: '0 s', 59_999: '59 s', 61_000: '1 min 1 s', 3_600_000: '1 h',
    8_040_000: '2 h 14 min', 90_000_000: '1 d 1 h' };
  for (const [ms, words] of Object.entries(said)) assert.equal(duration(Number(ms)), words);
  assert.deepEqual([0, 1023, 1024, 10_240, 5_368_709_120].map(bytes),
    ['0 B', '1023 B', '1.0 KiB', '10 KiB', '5.0 GiB']);
});

test('a text is cut between characters', () => {
  assert.equal(firstBytes('aé😀b', 2), 'a');
  assert.equal(firstBytes('aé😀b', 7), 'aé😀');
});

test('what keys have in common ends with a part', () => {
  assert.equal(commonPrefix(['agent:main:a', 'agent:main:ab']), 'agent:main:');
  assert.equal(commonPrefix(['agent:main:a', 'agent:ops:a']), 'agent:');
  assert.equal(commonPrefix(['main', 'agent:main']), '');
  assert.equal(commonPrefix([]), '');
});

test('every rule of routing has words', () => {
  const source = (name) => fs.readFileSync(path.join(process.env.SOURCES, name), 'utf8');
  const rules = [...source('schema/event.c').matchAll(/\[RULE_\w+\] = "([\w-]+)"/g)];
  assert.ok(rules.length > 4);
  const table = /const RULES = \{(.*?)\n\};/s.exec(source('server/ui/words.js'))[1];
  const said = [...table.matchAll(/^ {2}'?([\w-]+)'?: /gm)].map(([, name]) => name);
  assert.deepEqual(said.sort(), rules.map(([, name]) => name).sort());
});
