/**
 * mirror.js - an experiment: sees the events that the gateway puts into its own queue in memory.
 *
 * OpenClaw has no door for this. Its queue is a Map that the whole process shares under a symbol:
 * session key -> { queue: [event, ...] }. Here the lists in it are made to tell of what is pushed.
 * Where they look different, nothing is watched, and the log says so.
 */
const QUEUES = Symbol.for('openclaw.systemEvents.queues');
const FOLLOWED = Symbol('followed by sevq');

const isQueue = (entry) => Array.isArray(entry?.queue);
const isEvent = (event) => typeof event?.id === 'string' && typeof event.text === 'string';

/**
 * Calls onEvent(sessionKey, event, isQueued) for each event that is queued, until the returned
 * function is called.
 */
export function watchQueues(onEvent, { warn }) {
  const queues = globalThis[QUEUES];
  if (!(queues instanceof Map) || ![...queues.values()].every(isQueue)) {
    warn("the gateway's own queue is not as expected; its events are not mirrored");
    return () => {};
  }
  let watching = true;
  const tell = (key, event) => {
    if (!watching || !isEvent(event)) return;
    onEvent(key, event, () => queues.get(key)?.queue.some((each) => each.id === event.id) ?? false);
  };
  const followList = (key, list) =>
    Object.defineProperty(list, 'push', {
      configurable: true,
      value(...events) {
        const length = Array.prototype.push.apply(this, events);
        for (const event of events) tell(key, event);
        return length;
      },
    });
  const follow = (key, entry) => {
    if (!isQueue(entry) || entry[FOLLOWED]) return;
    let list = followList(key, entry.queue);
    Object.defineProperty(entry, FOLLOWED, { value: true });
    Object.defineProperty(entry, 'queue', {
      enumerable: true,
      get: () => list,
      set: (next) => (list = followList(key, next)),
    });
  };
  for (const [key, entry] of queues) follow(key, entry);
  queues.set = function (key, entry) {
    if (watching) follow(key, entry);
    return Map.prototype.set.call(this, key, entry);
  };
  return () => {
    watching = false;
    delete queues.set;
  };
}
