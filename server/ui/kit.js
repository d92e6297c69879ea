/** What views are built with, in one place. */
export { post } from './api.js';
export { moment, now, since, until } from './clock.js';
export { h } from './dom.js';
export { bytes, count, plural } from './format.js';
export { listView } from './list.js';
export { address } from './router.js';
export { empty } from './states.js';
export { keysOf, pager, table } from './table.js';
export { button, code, describe, eventLink, excerpt, key, muted, rule, sessionLink, state, who } from './words.js';
