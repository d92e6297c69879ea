/** A real sevqd in a folder of its own, for the tests of the page; without a browser. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const { Client } = await import(process.env.SEVQ_MJS);

/** Waits until condition() is true; returns its value. */
export async function until(condition, why = String(condition), patienceMs = 30000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const said = await condition();
    if (said) return said;
    assert.ok(Date.now() < end, `still waiting for ${why}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A sevqd on a folder of its own; start() again after stop() uses the same database. */
export class Server {
  constructor({ flags = [], policy, tokens } = {}) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sevq-page-'));
    this.flags = flags;
    this.port = 0;
    if (policy) this.writePolicy(policy);
    if (tokens) this.writeTokens(tokens);
  }

  writePolicy(policy) {
    fs.writeFileSync(path.join(this.folder, 'openclaw.json'), JSON.stringify(policy));
  }

  /** Lines of the token file; the first token is that of this.queue. */
  writeTokens(lines) {
    fs.writeFileSync(path.join(this.folder, 'token'), lines.join('\n') + '\n', { mode: 0o600 });
  }

  async start() {
    const policy = path.join(this.folder, 'openclaw.json');
    const flags = ['--log-format', 'json', '--listen', `127.0.0.1:${this.port}`, '--db',
      path.join(this.folder, 'sevq.db'), ...(fs.existsSync(policy) ? ['--policy', policy] : []),
      ...this.flags];
    const env = { PATH: process.env.PATH, HOME: this.folder };
    this.log = [];
    this.process = spawn(process.env.SEVQD, flags, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const lines = readline.createInterface(this.process.stderr);
    lines.on('line', (line) => this.log.push(JSON.parse(line)));
    const listening = () => this.log.find(({ msg }) => msg === 'listening');
    await until(() => listening() || this.process.exitCode !== null, 'the server to listen');
    assert.ok(listening(), JSON.stringify(this.log));
    this.port = Number(listening().address.split(':').pop());
    this.url = `http://127.0.0.1:${this.port}`;
    this.token = fs.readFileSync(path.join(this.folder, 'token'), 'utf8').split(/\s/)[0];
    this.queue = new Client({ baseUrl: this.url, token: this.token });
    return this;
  }

  async stop() {
    this.queue.close();
    this.process.kill();
    const [code] = this.process.exitCode === null ?
      await once(this.process, 'exit') : [this.process.exitCode];
    assert.equal(code, 0, JSON.stringify(this.log.slice(-5)));
  }

  /** User and system time that the process has used, in seconds. */
  cpuSeconds() {
    const stat = fs.readFileSync(`/proc/${this.process.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** A call of the API: a POST has the fields in its body, others in the query. */
  call(method, path, fields = {}) {
    return this.queue.call(method, path, method === 'POST' ? { body: fields } : { query: fields });
  }

  stats() {
    return this.call('GET', '/v1/stats');
  }

  /** A code that lets a page in. */
  async code(scope = 'read') {
    return (await this.call('POST', '/v1/page-codes', { scope })).code;
  }
}
