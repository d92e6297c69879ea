/**
 * The dialog before anything is changed. It stands outside of what live data redraw, so it stays as
 * it was opened: its text comes from a dry run, and what is confirmed is what was read.
 *
 * There is one element for all dialogs. Each has a signal of its own, which is aborted when it is
 * closed: what still goes on for it then draws nothing any more.
 */
import { count, describe, h, render } from './kit.js';

const TYPED_ABOVE = 100;

let closed = new AbortController(); // of the dialog that was opened last

const box = () => document.getElementById('dialog');
const submitter = () => box().querySelector('[type=submit]');

/**
 * prepare() does the dry run and tells {verb, title, text, lost, number, fields, act}. A number
 * above a hundred must be typed; without `act` there is nothing to do. act(values, signal) does it
 * and tells what was done in words, for done(words). A failure is told in the dialog, or by
 * done(words, true) if that was closed meanwhile.
 */
export async function ask(prepare, done) {
  const signal = open({ title: 'One moment …' });
  const say = (plan, act) => signal.aborted || draw(plan, act);
  try {
    const plan = await prepare();
    say(plan, plan.act && (() => carryOut(plan, signal, done)));
  } catch (problem) {
    say({ title: 'This cannot be done', text: describe(problem) });
  }
}

/** A dialog that only says something. */
export const tell = (title, text) => void open({ title, text });

function open(plan) {
  const opener = document.activeElement;
  closed.abort();
  closed = new AbortController();
  draw(plan);
  box().showModal();
  box().onclose = () => {
    if (box().open) return; // by another dialog
    closed.abort();
    (opener?.isConnected ? opener : document.getElementById('main')).focus();
  };
  return closed.signal;
}

function draw({ title, text, lost, fields, number, verb }, act = null) {
  const typed = act !== null && number > TYPED_ABOVE;
  const onsubmit = (event) => {
    event.preventDefault();
    if (submitter()?.disabled === false) act();
  };
  render(box(), h('form', { onsubmit },
    h('h2', { id: 'dialog-title' }, title),
    h('div.said', text),
    act && [h('p.bad', lost), fields, typed && confirmation(number)],
    h('div.buttons',
      h('button', { type: 'button', autofocus: true, onclick: () => box().close() },
        act ? 'Cancel' : 'Close'),
      act && h('button.danger', { type: 'submit', disabled: typed }, verb))));
}

function confirmation(number) {
  const oninput = ({ target }) => {
    submitter().disabled = target.value.replaceAll(/[,\s]/g, '') !== String(number);
  };
  return h('label', `Type ${count(number)} to confirm`,
    h('input', { name: 'typed', inputmode: 'numeric', autocomplete: 'off', oninput }));
}

async function carryOut({ verb, act }, signal, done) {
  const values = Object.fromEntries(new FormData(box().querySelector('form')));
  submitter().disabled = true;
  submitter().textContent = `${verb} …`;
  try {
    const words = await act(values, signal);
    if (!signal.aborted) box().close();
    done(words);
  } catch (problem) {
    if (signal.aborted) {
      done(`${verb} failed: ${problem.message}.`, true);
      return;
    }
    draw({ title: `${verb} failed`, text: describe(problem) });
    done(null);
  }
}
