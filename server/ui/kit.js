/** What views are built with, in one place. */
export * from './api.js';
export * from './clock.js';
export * from './dom.js';
export * from './format.js';
export * from './list.js';
export * from './router.js';
export * from './states.js';
export * from './table.js';
export * from './words.js';
