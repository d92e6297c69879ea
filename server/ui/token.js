/**
 * The token of this tab, in its sessionStorage only: from the one-time code in the address that
 * `sevq page` opens, from the form, or from another tab, which a new one asks.
 */
const KEPT = 'sevq-token';
const PATIENCE_MS = 250;

const others = new BroadcastChannel(KEPT);
let given = () => {};

export const token = {
  text: sessionStorage.getItem(KEPT),

  /** text: null where the server asks for none. */
  keep(text) {
    this.text = text;
    if (text !== null) sessionStorage.setItem(KEPT, text);
  },

  forget() {
    this.text = null;
    sessionStorage.removeItem(KEPT);
  },

  /** The code of the address, which is taken out of it before anything else is done; or null. */
  takeCode() {
    const code = /^#code=(.+)$/.exec(location.hash)?.[1] ?? null;
    if (code !== null) history.replaceState(null, '', '#/');
    return code;
  },

  /** Ends once another tab has given its token, or none has. */
  async askOthers() {
    if (this.text === null)
      await new Promise((resolve) => {
        given = resolve;
        others.postMessage(null);
        setTimeout(resolve, PATIENCE_MS);
      });
  },
};

/** A tab asks by null, and is told a token. */
others.onmessage = ({ data }) => {
  if (data === token.text) return;
  if (data === null) others.postMessage(token.text);
  else if (token.text === null) given(token.keep(data));
};
