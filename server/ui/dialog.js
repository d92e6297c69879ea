/**
 * The dialog before anything is changed. It stands outside of what live data redraw, so it stays as
 * it was opened: its text comes from a dry run, and what is confirmed is what was read.
 */
import { h, render } from './dom.js';
import { count } from './format.js';
import { describe } from './words.js';

const TYPED_ABOVE = 100;

const box = () => document.getElementById('dialog');
let opener = null;

/**
 * prepare() does the dry run and tells {verb, title, text, lost, number, fields, act}: `act` does
 * it and tells what was done in words. A number above a hundred must be typed. With `act` null there
 * is nothing to do. done(words) is called after it.
 */
export async function ask(prepare, done) {
  opener = document.activeElement;
  draw({ title: 'Looking at what would be done …', text: null, act: null });
  box().showModal();
  box().querySelector('[data-cancel]').focus();
  box().onclose = giveFocusBack;
  try {
    const plan = await prepare();
    draw(plan, () => carryOut(plan, done));
  } catch (problem) {
    draw({ title: 'This cannot be done', text: describe(problem), act: null });
  }
}

/** A dialog that only says something. */
export function tell(title, text) {
  opener = document.activeElement;
  draw({ title, text, act: null });
  box().showModal();
  box().querySelector('[data-cancel]').focus();
  box().onclose = giveFocusBack;
}

function giveFocusBack() {
  (opener?.isConnected ? opener : document.getElementById('main')).focus();
}

function draw(plan, act = null) {
  render(box(), h('form', { onsubmit: (event) => submit(event, act) },
    h('h2', { id: 'dialog-title' }, plan.title),
    h('div.said', plan.text),
    plan.lost && h('p.lost', plan.lost),
    act && plan.act && plan.fields,
    act && plan.act && plan.number > TYPED_ABOVE && typed(plan.number),
    h('div.buttons',
      h('button', { type: 'button', 'data-cancel': true, onclick: () => box().close() },
        plan.act ? 'Cancel' : 'Close'),
      act && plan.act && h('button.danger', { type: 'submit', disabled: plan.number > TYPED_ABOVE },
        plan.verb))));
}

function typed(number) {
  const matches = (text) => text.replaceAll(/[,\s]/g, '') === String(number);
  return h('label', `Type ${count(number)} to confirm`, h('input', { name: 'typed', inputmode: 'numeric', autocomplete: 'off',
    oninput: (event) => { box().querySelector('[type=submit]').disabled = !matches(event.target.value); } }));
}

function submit(event, act) {
  event.preventDefault();
  if (act !== null && !box().querySelector('[type=submit]')?.disabled) act();
}

async function carryOut(plan, done) {
  const button = box().querySelector('[type=submit]');
  const values = Object.fromEntries(new FormData(box().querySelector('form')));
  button.disabled = true;
  button.textContent = `${plan.verb} …`;
  try {
    const words = await plan.act(values);
    box().close();
    done(words);
  } catch (problem) {
    draw({ title: `${plan.verb} failed`, text: describe(problem), act: null });
    done(null);
  }
}
