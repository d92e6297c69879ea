/** The page stays small enough to be read, and needs nothing but what is in server/ui. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Server } from './server.mjs';

const UI = path.join(process.env.SOURCES, 'server/ui');
const RAW_MAX = 80 * 1024;
const GZIP_MAX = 25 * 1024;

const names = fs.readdirSync(UI).filter((name) => name !== 'meson.build').sort();
const sources = new Map(names.map((name) => [name, fs.readFileSync(path.join(UI, name), 'utf8')]));

const server = await new Server().start();
after(async () => {
  await server.stop();
  fs.rmSync(server.folder, { recursive: true });
});

/** A file as browsers get it. */
async function served(name) {
  const answer = await fetch(`${server.url}/ui/${name}`);
  assert.equal(answer.status, 200, name);
  return Buffer.from(await answer.arrayBuffer());
}

test('all files together, as they are served, fit into their budget', async () => {
  const all = Buffer.concat(await Promise.all(names.map(served)));
  const compressed = gzipSync(all, { level: 9 }).length;
  console.log(`# ${names.length} files: ${all.length} bytes, ${compressed} compressed`);
  assert.ok(all.length <= RAW_MAX, `${all.length} bytes`);
  assert.ok(compressed <= GZIP_MAX, `${compressed} bytes compressed`);
});

test('every file is served, and no other', () => {
  const list = fs.readFileSync(path.join(UI, 'meson.build'), 'utf8');
  const listed = [...list.matchAll(/'([\w.-]+)'/g)].map(([, name]) => name);
  assert.deepEqual(listed.sort(), names);
});

/** Addresses in a text; of comments and of names of XML too. */
const places = (text) => text.replaceAll(/(?<=["'])http:\/\/www\.w3\.org\/2000\/svg(?=["'])/g, '')
  .match(/[\w+-]+:\/\/|["'`(]\/\/\w|\burl\(|@import/g);

test('no file names another place', () => {
  for (const [name, text] of sources) assert.equal(places(text), null, name);
  for (const text of ['"https://a"', "'http://localhost'", 'ws://[::1]', '`//${host}`, "//b"',
    'url(x)'])
    assert.notEqual(places(text), null, text);
});

/** What a module gets from others, however its lines are broken. */
const imported = (text) => [
  ...text.matchAll(/^(?:import|\} from|export .* from)\b[^'"`]*(['"`].*)$/gm),
  ...text.matchAll(/\bimport\s*\(\s*(.*)/g)].map(([, from]) => from);

test('every import is a file of the page', () => {
  const files = new Set(names.map((name) => `'./${name}';`));
  for (const [name, text] of sources)
    for (const from of imported(text)) assert.ok(files.has(from), `${name} imports ${from}`);
  assert.deepEqual(imported("import {\n  a,\n} from 'b';\nimport 'c';\n  await import(d);\n"),
    ["'b';", "'c';", 'd);']);
});
