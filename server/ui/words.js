/** How keys, events, rules and problems are put into words and marked up, alike in every view. */
import { h } from './dom.js';
import { count } from './format.js';
import { address } from './router.js';

const RULES = {
  'main-alias': 'another name of the main session',
  'cron-run': 'runs of cron jobs belong to the main session',
  'isolated-heartbeat': 'a heartbeat apart belongs to the session it is for',
  'direct-main': 'direct chats with the one owner belong to the main session',
  keep: 'no other rule moves the key',
};

/** A key, its first characters held back so that what tells it from others stands out. */
export const key = (text, dimmed = 0) =>
  h('span.key', dimmed > 0 && h('span.muted', text.slice(0, dimmed)), text.slice(dimmed));
export const code = (text) => h('code', text);
export const muted = (...children) => h('span.muted', ...children);
export const button = (label, onclick, more = {}) =>
  h('button', { type: 'button', onclick, ...more }, label);

export const sessionLink = (text, dimmed) =>
  h('a', { href: address('session', text) }, key(text, dimmed));
export const eventLink = (id) => h('a.id', { href: address('event', id) }, id);

/** "direct-main", what it means in the title. */
export const rule = (name) => h('span.rule', { title: ruleMeans(name) }, name);
export const ruleMeans = (name) => RULES[name];
/** key --rule--> queue */
export const way = (from, by, to) =>
  [key(from), ' ', h('span.arrow', '— ', rule(by), ' →'), ' ', sessionLink(to)];
/** A queue that an event goes to or has gone to; null: the key is refused. */
export const target = (to, show = key) =>
  (to === null ? 'nowhere: the key is refused' : show(to));

export const state = (name) => h(`span.state.${/^[a-z]+$/.test(name) ? name : 'other'}`, name);

/** Who; a consumer need not have a name. */
export const who = (name, nobody = 'without a name') => (name ? key(name) : muted(nobody));

/** The first words of a text, in one line. */
export const excerpt = (text) =>
  h('span.excerpt', text.length > 160 ? `${text.slice(0, 160)}…` : text);

/** [name, value] of all that have one, below each other. */
export const details = (rows) => h('dl.details', rows.filter(([, value]) => value)
  .map(([name, value]) => [h('dt', name), h('dd', value)]));

/** A failed call in words. */
export const describe = ({ title, message, detail, done, status }) => [
  h('p', h('b', title ?? message), detail && `: ${detail}`),
  done > 0 ? h('p', `${count(done)} were done before that.`) :
    status === 507 && h('p', 'The disk is full: nothing was changed.')];
