/**
 * What a bridge talks to, in memory and under a test's control: a clock, a sevq whose answers come
 * when and how the test says, and a gateway. Rules of leases: doc/DELIVERY.md.
 */
import { setImmediate as turn } from 'node:timers/promises';

export class Clock {
  time = 0;
  #timers = [];

  now = () => this.time;

  after = (ms, call) => {
    const timer = { at: this.time + ms, call };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((each) => each !== timer));
  };

  /** Lets time pass; what is due meanwhile happens in order. */
  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = this.#timers.filter((each) => each.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.time = Math.max(this.time, due.at);
      this.#timers = this.#timers.filter((each) => each !== due);
      due.call();
      await turn();
    }
    this.time = end;
    await turn();
  }
}

const failure = (code, changedNothing = false) =>
  Object.assign(new Error(code), { code, changedNothing });

/** A queue of one session. Calls wait in `calls` until the test answers, or loses, each. */
export class Sevq {
  events = new Map(); // id -> { id, text, wake, source, state, attempts, availableAt, acks }
  leases = new Map(); // id -> { consumer, until, ids }
  answers = new Map(); // of idempotency keys
  calls = [];
  #wakeups = [];
  #next = 1;

  constructor(clock, key) {
    Object.assign(this, { clock, key });
  }

  post(text, wake = 'now', source = 'hook') {
    const id = String(this.#next++);
    const event = { id, text, wake, source, state: 'queued', attempts: 0, availableAt: 0, acks: 0 };
    this.events.set(id, event);
    this.wakeup(wake, source);
    return id;
  }

  wakeup(wake, source) {
    const wakeup = { sessionKey: this.key, wake, source, depth: this.takeable().length };
    this.#wakeups.splice(0).forEach((tell) => tell(wakeup));
  }

  // The calls of the bridge.

  lease(body) {
    return this.#call('lease', () => this.#once(body.idempotencyKey, () => this.#lease(body)));
  }

  ack(leaseId) {
    return this.#call('ack', () =>
      this.#change(leaseId, undefined, (event) => Object.assign(event, { state: 'acked', acks: event.acks + 1 })),
    );
  }

  nack(leaseId, { delayMs = 0, countAttempt = true, ids }) {
    return this.#call('nack', () =>
      this.#change(leaseId, ids, (event) => {
        Object.assign(event, { state: 'queued', availableAt: this.clock.time + delayMs });
        if (countAttempt) event.attempts += 1;
      }),
    );
  }

  extend(leaseId, { leaseMs }) {
    return this.#call('extend', () => {
      this.#held(leaseId).until = this.clock.time + leaseMs;
      return {};
    });
  }

  enqueue({ text, wake = 'next-heartbeat' }) {
    return this.#call('enqueue', () => ({ event: { id: this.post(text, wake) } }));
  }

  wait() {
    return this.#call('wait', () => ({ ready: this.takeable().length > 0 }));
  }

  peek({ queueKey, limit, after = '0' }) {
    return this.#call('peek', () => {
      this.takeable(); // ends those whose time is over
      const pending = [...this.events.values()].filter((event) => event.state !== 'acked');
      const from = queueKey === this.key ? pending.filter(({ id }) => Number(id) > Number(after)) : [];
      return { events: from.slice(0, limit).map((event) => this.#told(event)), more: from.length > limit };
    });
  }

  call(_method, _path, { body }) {
    return this.#call('release', () => {
      const held = [...this.leases].filter(([, lease]) => lease.consumer === body.consumer);
      for (const [id] of held) this.#change(id, undefined, (event) => (event.state = 'queued'));
      return { more: false };
    });
  }

  async *stream(_fields, { signal }) {
    for (;;) {
      const told = new Promise((resolve) => this.#wakeups.push(resolve));
      const stopped = new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
      yield await Promise.race([told, stopped]);
    }
  }

  // For the test.

  takeable() {
    this.#lapse();
    const { time } = this.clock;
    return [...this.events.values()].filter((e) => e.state === 'queued' && e.availableAt <= time);
  }

  /** Ends the oldest call, or that at: "answer", "lose" the answer, or "refuse" the connection. */
  async settle(how = 'answer', at = 0) {
    const [call] = this.calls.splice(at, 1);
    if (call !== undefined) call(how);
    await turn();
  }

  async settleAll() {
    await turn();
    while (this.calls.length > 0) await this.settle();
  }

  // Inside.

  #told({ id, wake, source, state, availableAt }) {
    const delayed = state === 'queued' && availableAt > this.clock.time;
    return { id, wake, source, state: delayed ? 'delayed' : state };
  }

  #call(name, carryOut) {
    return new Promise((resolve, reject) => {
      const end = (how) => {
        if (how === 'refuse') return reject(failure('unreachable', true));
        this.#lapse();
        let answer;
        try {
          answer = carryOut();
        } catch (error) {
          return reject(how === 'lose' ? failure('lost') : error);
        }
        if (how === 'lose') reject(failure('lost'));
        else resolve(answer);
      };
      this.calls.push(Object.assign(end, { call: name }));
    });
  }

  #once(key, carryOut) {
    if (!this.answers.has(key)) this.answers.set(key, carryOut());
    return this.answers.get(key);
  }

  #lease({ limit, leaseMs, consumer, sessionKey }) {
    if (sessionKey !== this.key) throw failure('rerouted');
    const taken = this.takeable().slice(0, limit);
    if (taken.length === 0) return { leaseId: null, events: [], remaining: 0, block: null };
    const leaseId = `L${this.#next++}`;
    for (const event of taken) event.state = 'leased';
    const ids = taken.map((event) => event.id);
    this.leases.set(leaseId, { consumer, ids, until: this.clock.time + leaseMs });
    const block = taken.map((event) => `System: ${event.text}`).join('\n');
    const events = taken.map(({ id, text, attempts }) => ({ id, text, attempts }));
    return { leaseId, events, block, remaining: this.takeable().length };
  }

  #held(leaseId) {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) throw failure('conflict');
    return lease;
  }

  #change(leaseId, ids, change) {
    const lease = this.#held(leaseId);
    for (const id of ids ?? lease.ids) change(this.events.get(id));
    lease.ids = lease.ids.filter((id) => ids !== undefined && !ids.includes(id));
    if (lease.ids.length === 0) this.leases.delete(leaseId);
    return {};
  }

  #lapse() {
    for (const [leaseId, lease] of this.leases)
      if (lease.until <= this.clock.time)
        this.#change(leaseId, undefined, (e) => Object.assign(e, { state: 'queued', attempts: e.attempts + 1 }));
  }
}

/** What a gateway does for a bridge, on record. */
export class Host {
  asked = [];
  warnings = [];
  infos = [];
  requestTurn = (wanted) => this.asked.push(wanted);
  warn = (text) => this.warnings.push(text);
  info = (text) => this.infos.push(text);
  connected = async () => {};
}
