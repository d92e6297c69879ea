/** The fields above a list. What is looked for lives in the address, so it can be kept and sent. */
import { h } from './dom.js';
import { address, go, route } from './router.js';

const TYPING_MS = 300;

let typing = null;

/**
 * fields: [name, label, options], options for a choice, of which the first asks for nothing. A
 * change begins at the first page. A form has its named fields as members ("contains"), so these
 * have no name.
 */
export function filterForm(view, query, fields) {
  const look = (form) => {
    const { name, query: before } = route();
    const asked = [...form.elements].map((field) => [field.dataset.name, field.value.trim()]);
    const to = { ...before, cursor: '', ...Object.fromEntries(asked) };
    if (name === view) go(address(view, null, to), { replace: true });
  };
  const oninput = ({ target }) => {
    clearTimeout(typing);
    typing = setTimeout(look, target.localName === 'select' ? 0 : TYPING_MS, target.form);
  };
  return h('form.filters', { key: 'filters', oninput, onsubmit: (event) => event.preventDefault() },
    fields.map(([name, label, options]) => h('label', { key: name }, label,
      options ? choice(name, options, query[name] ?? '') :
        h('input', { type: 'search', 'data-name': name, value: query[name] ?? '',
          autocomplete: 'off', spellcheck: 'false' }))));
}

const choice = (name, options, chosen) => h('select', { 'data-name': name }, options
  .map((said, n) => [said, n > 0 ? said : ''])
  .map(([said, value]) => h('option', { value, selected: value === chosen }, said)));
