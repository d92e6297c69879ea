/** The page stays small enough to be read, and needs nothing but what is in server/ui. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const UI = path.join(process.env.SOURCES, 'server/ui');
const RAW_MAX = 104 * 1024; // 80 KiB is the goal
const GZIP_MAX = 34 * 1024; // and 25 KiB
const LINES_MAX = 300;

const names = fs.readdirSync(UI).filter((name) => name !== 'meson.build').sort();
const files = new Map(names.map((name) => [name, fs.readFileSync(path.join(UI, name))]));

test('all files together do not grow', () => {
  const all = Buffer.concat([...files.values()]);
  const compressed = gzipSync(all, { level: 9 }).length;
  console.log(`# ${names.length} files: ${all.length} bytes, ${compressed} compressed`);
  assert.ok(all.length <= RAW_MAX, `${all.length} bytes`);
  assert.ok(compressed <= GZIP_MAX, `${compressed} bytes compressed`);
});

test('no file has over 300 lines', () => {
  const long = names.filter((name) => String(files.get(name)).split('\n').length > LINES_MAX);
  assert.deepEqual(long, []);
});

test('every file is served, and no other', () => {
  const listed = [...fs.readFileSync(path.join(UI, 'meson.build'), 'utf8').matchAll(/'([\w.-]+)'/g)];
  assert.deepEqual(listed.map(([, name]) => name).sort(), names);
});

test('no file names another place', () => {
  for (const [name, bytes] of files) {
    const places = String(bytes).replaceAll('http://www.w3.org/2000/svg', '').match(/\b(https?:)?\/\/[\w.-]+\.\w+/g);
    assert.equal(places, null, name);
  }
});

test('every import is a file of the page', () => {
  for (const [name, bytes] of files)
    for (const [, from] of String(bytes).matchAll(/^import .*from '(.*)';$/gm))
      assert.ok(files.has(from.replace(/^\.\//, '')), `${name} imports ${from}`);
});
