/** How keys, events, rules and problems are put into words and marked up, alike in every view. */
import { h } from './dom.js';
import { count } from './format.js';
import { address } from './router.js';

const RULES = {
  'main-alias': 'the key names the agent’s main session in another way',
  'cron-run': 'the run of a cron job belongs to the job’s session',
  'isolated-heartbeat': 'a heartbeat that runs apart has the events of the session that it is for',
  'direct-main': 'direct chats with the one owner belong to the main session',
  keep: 'no other rule moves the key',
};

/** A key, its first characters held back so that what tells it from others stands out. */
export function key(text, dimmed = 0) {
  return h('span.key', dimmed > 0 && h('span.dim', text.slice(0, dimmed)), text.slice(dimmed));
}
export const code = (text) => h('code', text);
export const button = (label, onclick, more = {}) => h('button', { type: 'button', onclick, ...more }, label);

export const sessionLink = (text, shown = key(text)) => h('a', { href: address('session', text) }, shown);
export const eventLink = (id) => h('a.id', { href: address('event', id) }, id);

/** "direct-main", what it means in the title. */
export const rule = (name) => h('span.rule', { title: RULES[name] ?? '' }, name);
export const ruleMeans = (name) => RULES[name] ?? null;

export const state = (name) => h(`span.state.${/^[a-z]+$/.test(name) ? name : 'other'}`, name);

/** Who; a consumer need not have a name. */
export const who = (name, nobody = 'without a name') => (name ? h('span.key', name) : h('span.muted', nobody));

/** The first words of a text, in one line. */
export const excerpt = (text) => h('span.excerpt', text.length > 160 ? `${text.slice(0, 160)}…` : text);

/** A failed call in words. */
export function describe(problem) {
  if (problem.status === undefined) return h('p', String(problem));
  return [h('p', h('b', problem.title ?? 'It failed'), problem.detail && `: ${problem.detail}`),
    problem.done > 0 ? h('p', `${count(problem.done)} were done before that.`) :
      problem.status === 507 && h('p', 'The disk is full: nothing was changed.')];
}

export const muted = (...children) => h('span.muted', ...children);
