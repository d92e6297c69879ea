/**
 * Elements: `h` builds one, `render` makes a part of the page look like freshly built ones.
 *
 * A view is a function from data to elements, called again whenever the data change. `render`
 * touches only what differs. It never replaces or moves what has the focus or is selected: such a
 * row stays, marked as gone, until it is left.
 *
 * Text gets into the page here alone: always as text, its invisible characters made visible.
 */
import { pieces, spelled } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';
const SPELLED = ['title', 'aria-label', 'placeholder'];
const HANDLERS = ['onclick', 'onchange', 'oninput', 'onsubmit'];

/**
 * h('td.num', { title: 'x' }, 'text', element, [more]). Children that are null or false are left
 * out. A `key` marks an element that keeps its identity among its siblings.
 */
export function h(name, ...children) {
  const [tag, ...classes] = name.split('.');
  return build(document.createElement(tag), classes, children);
}

export function svg(name, ...children) {
  return build(document.createElementNS(SVG, name), [], children);
}

function build(element, classes, children) {
  if (classes.length > 0) element.classList.add(...classes);
  if (children[0]?.constructor === Object) setAttributes(element, children.shift());
  add(element, children);
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'key' || name === 'checked' || name.startsWith('on')) element[name] = value;
    else if ((value ?? false) !== false)
      element.setAttribute(name, SPELLED.includes(name) ? spelled(String(value)) : value);
  }
}

function add(parent, child) {
  if ((child ?? false) === false) return;
  if (Array.isArray(child)) for (const one of child) add(parent, one);
  else parent.append(...child instanceof Node ? [child] : pieces(String(child))
    .map(({ text, code }) => text ?? h('span.code-point', { title: 'an unseen character' }, code)));
}

/** Makes the children of `root` look like `children`. */
export function render(root, ...children) {
  const fresh = h(root.localName, ...children);
  const focused = document.activeElement;
  morphChildren(root, fresh);
  if (focused !== document.activeElement)
    (focused?.isConnected ? focused : root).focus({ preventScroll: true });
}

/** Whether somebody is at this node: with the focus, or with a selection. */
export function inUse(node) {
  const selection = getSelection();
  return (node.contains(document.activeElement) && document.activeElement !== document.body) ||
    (!selection.isCollapsed && selection.containsNode(node, true));
}

function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data && !inUse(old)) old.data = fresh.data;
    return;
  }
  old.classList.remove('gone');
  morphAttributes(old, fresh);
  for (const name of HANDLERS) if (old[name] !== fresh[name]) old[name] = fresh[name];
  morphChildren(old, fresh);
  morphValue(old, fresh);
}

/** Whether a <details> is open is the reader's business. */
function morphAttributes(old, fresh) {
  const own = (name) => name === 'open' && old.localName === 'details';
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !own(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && !own(name)) old.setAttribute(name, value);
}

function morphValue(old, fresh) {
  if (old.type === 'checkbox') old.checked = fresh.checked;
  else if (old !== document.activeElement && old.matches('input, select')) old.value = fresh.value;
}

function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const keys = new Set(wanted.map((child) => child.key));
  const keyed = new Map([...old.childNodes].filter((child) => child.key !== undefined)
    .map((child) => [child.key, child]));
  let at = old.firstChild;
  for (const child of wanted) {
    at = passGone(at, keys);
    const found = match(child, keyed, at);
    if (found === null) {
      old.insertBefore(child, at);
      continue;
    }
    if (found !== at) bring(old, found, at);
    at = found.nextSibling;
    morph(found, child);
  }
  for (at = passGone(at, keys); at !== null; at = passGone(at, keys)) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** The next child that is not a row which is gone and still in use. */
function passGone(at, keys) {
  while (at !== null && at.key !== undefined && !keys.has(at.key) && inUse(at)) {
    at.classList.add('gone');
    at = at.nextSibling;
  }
  return at;
}

function match(child, keyed, at) {
  const found = child.key !== undefined ? keyed.get(child.key) : at;
  return found && found.key === child.key && found.nodeName === child.nodeName ? found : null;
}

/** What is in use loses its focus when it is moved, so the others go out of its way. */
function bring(parent, found, at) {
  if (!inUse(found)) {
    parent.insertBefore(found, at);
    return;
  }
  while (at !== found) {
    const next = at.nextSibling;
    parent.append(at);
    at = next;
  }
}
