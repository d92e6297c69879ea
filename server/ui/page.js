/**
 * The view that is looked at: loaded, drawn, kept up to date.
 *
 * A view has a title, or title(route); load(route, get, page), which asks the server, and
 * draw(data, route, page), which returns elements and is called whenever something may have
 * changed. It may have change(data, change, route), which takes over what the stream tells of a
 * queue; false: no concern.
 *
 * One load at a time. Changes lead to another soon, later if loads take long, and in five seconds
 * there is one in any case, so that a page left open costs the server little.
 */
import { TROUBLE, banners, failed, get, now, render, route } from './kit.js';
import { live } from './live.js';

const EVERY_MS = 5000;
const SOON_MS = 2000;
const SHARE = 20;
const DIM_MS = 300;
const REDRAW_MS = 250;
const STALE_MS = 10_000;

const NOTHING = { here: null, shown: null, data: null, problem: null, loadedAt: null,
  againTs: null, loading: null, changed: false, dueMs: Infinity, restMs: 0, redraw: null,
  drawn: null, said: null, memory: {} };

const main = () => document.getElementById('main');

export class Page {
  /** views: by name. ask(problem) is called when the token is refused. */
  constructor(views, ask) {
    Object.assign(this, { views, ask, scopes: [], whole: false, full: false }, NOTHING);
  }

  can(scope) {
    return this.scopes.includes(scope);
  }

  /** Says in a line above everything what was done, or what has failed. */
  say(words, failed = false) {
    this.said = { words, failed };
    this.drawBanners();
    this.refresh();
  }

  /** Looks at what the address names. */
  visit() {
    const here = route();
    const fresh = this.here?.name !== here.name || this.here.id !== here.id;
    if (fresh) Object.assign(this, { memory: {}, said: null });
    this.loading?.abort();
    Object.assign(this, { here, loading: null });
    this.load(fresh);
  }

  /** There is nothing to look at without a token. */
  leave() {
    this.loading?.abort();
    Object.assign(this, NOTHING);
    main().removeAttribute('aria-busy');
    main().classList.remove('old');
    this.drawBanners();
  }

  refresh() {
    if (this.here !== null && this.loading === null) this.load(false);
  }

  async load(fresh) {
    const { here } = this;
    const view = this.views[here.name] ?? this.views[''];
    const abort = new AbortController();
    const { signal } = abort;
    const started = performance.now();
    const dim = setTimeout(() => main().setAttribute('aria-busy', true), fresh ? DIM_MS : EVERY_MS);
    this.loading = abort;
    try {
      const data = await view.load(here, (path, query) => get(path, query, signal), this);
      Object.assign(this, { data, shown: { view, here }, problem: null, loadedAt: Date.now(),
        againTs: null });
      document.title = `${view.title.call ? view.title(here) : view.title} · sevq`;
    } catch (problem) {
      if (signal.aborted) return;
      if (problem.status === undefined) throw problem;
      if (problem.status === 401) {
        this.ask(problem);
        return;
      }
      this.fail(problem, { view, here }, fresh);
    } finally {
      clearTimeout(dim);
      if (this.loading === abort) this.settle(performance.now() - started);
    }
    this.draw();
    if (fresh) this.arrive();
  }

  fail(problem, at, fresh) {
    const again = problem.status in TROUBLE;
    this.problem = problem;
    this.againTs = again ? now() + (problem.retryMs ?? EVERY_MS) : null;
    if (fresh || !again) this.shown = { ...at, problem };
  }

  settle(tookMs) {
    const at = performance.now();
    main().removeAttribute('aria-busy');
    this.loading = null;
    this.restMs = at + Math.min(EVERY_MS, Math.max(SOON_MS, tookMs * SHARE));
    this.dueMs = at + (this.againTs === null ? EVERY_MS : this.againTs - now());
    if (this.changed) this.loadSoon();
    this.changed = false;
  }

  /** At another view a reader begins at its top, unless something is being typed. */
  arrive() {
    scrollTo(0, 0);
    if (document.activeElement?.matches('body, header a')) main().focus({ preventScroll: true });
  }

  draw() {
    clearTimeout(this.redraw);
    this.redraw = null;
    this.drawBanners();
    if (this.shown === null) return;
    const { view, here, problem } = this.shown;
    main().classList.toggle('old', this.problem !== null && !problem);
    const drawn = JSON.stringify([here.name, here.id, Boolean(problem)]);
    if (drawn !== this.drawn) main().replaceChildren();
    this.drawn = drawn;
    render(main(), problem ? failed(problem, here, this.scopes) : view.draw(this.data, here, this));
  }

  drawBanners() {
    const forget = () => {
      this.said = null;
      this.drawBanners();
    };
    render(document.getElementById('banners'), banners(this, forget));
  }

  /** The stream tells that something has changed. */
  change(change) {
    if (live.paused || !this.shown || this.shown.problem) return;
    const { view, here } = this.shown;
    if (view.change?.(this.data, change, here) === false) return;
    this.redraw ??= setTimeout(() => this.draw(), REDRAW_MS);
    this.loadSoon();
  }

  loadSoon() {
    if (this.loading !== null) this.changed = true;
    else if (this.againTs === null && this.restMs < this.dueMs) {
      this.dueMs = this.restMs;
      setTimeout(() => this.tick(), Math.max(0, this.dueMs - performance.now()) + 1);
    }
  }

  /** Loads again when it is time to; called every second. */
  tick() {
    if (!live.paused && !document.hidden && performance.now() >= this.dueMs) this.refresh();
  }

  get stale() {
    return this.loadedAt === null || Date.now() - this.loadedAt > STALE_MS;
  }
}
