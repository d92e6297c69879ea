/**
 * index.js - registers the bridge with OpenClaw's gateway.
 *
 * Here: every call of OpenClaw's plugin API. OpenClaw registers a plugin several times in one
 * process, and starts the service of one registration only; hooks of all reach the bridge of that
 * one through a symbol of the process.
 */
import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { Bridge, TELL_MS } from './bridge.js';
import { watchQueues } from './mirror.js';
import { comparePolicies } from './policy.js';
import { Client } from './sevq.mjs';

const ACTIVE = Symbol.for('sevq.openclaw.bridge');

/** Unlike any other gateway's, and the same after a restart. */
function consumerOf(stateDir) {
  const place = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
  return `openclaw, ${os.hostname().slice(0, 64)}, ${place}`;
}

/** Keys and errors are what others sent: none of them begins a line or moves a terminal's cursor. */
const printable = (text) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

function hostOf(api, { stateDir, logger }) {
  const gatewayFile = process.env.OPENCLAW_CONFIG_PATH ?? path.join(stateDir, 'openclaw.json');
  let said = { line: null, at: 0 };
  return {
    info: (text) => logger.info(`sevq: ${printable(text)}`),
    warn: (text) => logger.warn(`sevq: ${printable(text)}`),
    requestTurn({ agentId, sessionKey, deliveryContext }) {
      const wake = { source: 'hook', intent: 'immediate', reason: 'hook:sevq', coalesceMs: 0 };
      Object.assign(wake, { agentId, sessionKey });
      if (deliveryContext?.channel) {
        const { channel: target, to, accountId } = deliveryContext;
        wake.heartbeat = { target, to, accountId };
      }
      api.runtime.system.requestHeartbeat(wake);
    },
    async connected(client) {
      const { text, agree } = await comparePolicies(client, gatewayFile);
      const line = `${client.baseUrl}: ${text}`;
      const at = performance.now();
      if (line === said.line && at - said.at < TELL_MS) return;
      said = { line, at };
      if (agree) this.info(line);
      else this.warn(line);
    },
  };
}

/** A service that has a bridge while it runs. */
function service(api, config) {
  let bridge;
  let unwatch = () => {};
  return {
    id: 'sevq',
    start(context) {
      const { url: baseUrl, tokenFile, mirror, ...options } = config;
      const connect = () => new Client({ baseUrl, tokenFile, timeoutMs: 15000, retryForMs: 0 });
      const host = hostOf(api, context);
      bridge = new Bridge({ consumer: consumerOf(context.stateDir), ...options, connect, host });
      globalThis[ACTIVE] = bridge;
      bridge.start();
      if (mirror) unwatch = watchQueues((...queued) => bridge.mirror(...queued), host);
    },
    async stop() {
      unwatch();
      await bridge?.stop();
      if (globalThis[ACTIVE] === bridge) delete globalThis[ACTIVE];
    },
  };
}

async function promptOf(context) {
  const prependContext = await globalThis[ACTIVE]?.prompt(context);
  return prependContext ? { prependContext } : undefined;
}

function lifecycle({ runId, data }) {
  const failed = data.phase === 'error' || data.aborted === true;
  if (!failed && data.phase !== 'end') return;
  const reason = data.aborted === true ? 'the run was aborted' : (data.error ?? 'the run failed');
  globalThis[ACTIVE]?.end(runId, failed ? 'failed' : 'ended', reason);
}

export default {
  id: 'sevq',
  name: 'sevq',
  description: "Events from sevq in the turns of OpenClaw's agents, each at least once",
  register(api) {
    const granted = api.config?.plugins?.entries?.[api.id]?.hooks?.allowConversationAccess === true;
    // without the owner's leave only the turns of heartbeats can be added to
    const hook = granted ? 'before_prompt_build' : 'heartbeat_prompt_contribution';
    api.on(hook, (_event, context) => promptOf(context));
    const streams = ['lifecycle'];
    api.agent.events.registerAgentEventSubscription({ id: 'sevq', streams, handle: lifecycle });
    api.registerService(service(api, api.pluginConfig ?? {}));
  },
};
