/** The fields above a list. What is looked for lives in the address, so it can be kept and sent. */
import { h } from './dom.js';
import { address, go } from './router.js';

const TYPING_MS = 300;

let typing = null;

/** fields: [{name, label, options}], options {value: said} for a choice. A change begins at the first page. */
export function filterForm(view, query, fields) {
  const change = (name, value) => {
    clearTimeout(typing);
    go(address(view, null, { ...query, cursor: '', [name]: value.trim() }), { replace: true });
  };
  const soon = (name, value) => {
    clearTimeout(typing);
    typing = setTimeout(change, TYPING_MS, name, value);
  };
  return h('form.filters', { key: 'filters', onsubmit: (event) => event.preventDefault() },
    fields.map(({ name, label, options }) => h('label', { key: name }, label, options ?
      choice(options, query[name] ?? '', (event) => change(name, event.target.value)) :
      h('input', { type: 'search', value: query[name] ?? '', autocomplete: 'off', spellcheck: 'false',
        oninput: (event) => soon(name, event.target.value) }))));
}

function choice(options, chosen, onchange) {
  return h('select', { onchange }, Object.entries(options).map(([value, said]) =>
    h('option', { value, selected: value === chosen }, said)));
}
