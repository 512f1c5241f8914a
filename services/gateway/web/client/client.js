// The browser client of Pagestream: many live subscriptions over one connection that finds its own way back.
//
//     const client = new PagestreamClient({ base: "https://docs.example/", token });
//     const stop = client.subscribe({ document_id }, (state) => show(state.document));
//     client.addEventListener("connection", () => console.log(client.connection));

import {
  LADDER,
  STABLE_MS,
  afterClose,
  climbAfter,
  emptyState,
  hasEnded,
  health,
  keyOf,
  nextRung,
  reduce,
} from "./protocol.js";
import { TRANSPORTS } from "./transports.js";

const WATCH_MS = 2_500;
const LINGER_MS = 500; // a page that changes its subscriptions keeps the connection

/**
 * `subscribe(target, onState)` calls back with the state (see protocol.js) at once and after each change, and returns
 * the function that ends it. Targets: `{document_id}`, `{job_id}` (a standalone job of /v1/jobs; its view is
 * `state.document`), `{feed: "documents"}`, and `{feed: "batch", batch}`, whose state has the combined `progress`.
 *
 * `connection` is "websocket", "sse", "poll" or "offline"; `problem` is null, or why the client has stopped for good:
 * "sign_in", "forbidden", "not_found", "bad_frame". A "connection" event tells of each change of either.
 */
export class PagestreamClient extends EventTarget {
  #subscriptions = new Map();
  #line = null; // the transport in use
  #name = LADDER[0];
  #fruitless = 0; // tries in a row on this rung that brought no frame
  #attempt = 0; // failures in a row, over all rungs
  #climbs = 0;
  #openedAt = 0;
  #heardAt = 0;
  #probedAt = 0;
  #timers = { retry: null, watch: null, linger: null };
  #wake = () => this.wake();

  constructor({ base, token = null, random = Math.random, transports = TRANSPORTS }) {
    super();
    this.base = String(base);
    this.token = token;
    this.random = random;
    this.transports = transports;
    this.connection = "offline";
    this.problem = null;
    for (const change of ["online", "offline"]) globalThis.addEventListener?.(change, this.#wake);
    globalThis.document?.addEventListener("visibilitychange", this.#wake);
  }

  subscribe(target, onState) {
    const key = keyOf(target);
    let subscription = this.#subscriptions.get(key);
    const isNew = subscription === undefined || hasEnded(subscription.state);
    subscription ??= { target, listeners: new Set() };
    if (isNew) subscription.state = emptyState(target);
    this.#subscriptions.set(key, subscription);
    const listener = (state) => onState(state); // the same function may subscribe twice
    subscription.listeners.add(listener);
    listener(subscription.state);
    clearTimeout(this.#timers.linger);
    if (isNew && this.#line) this.#line.add(subscription);
    else if (!this.#line && this.#timers.retry === null && !this.problem) this.#connect();
    return () => this.#unsubscribe(key, subscription, listener);
  }

  /** Connects now if it should be connected and is not, or asks the line for a sign (a laptop that slept, a cut cable). */
  wake() {
    if (globalThis.document?.visibilityState === "hidden" || this.problem || this.#subscriptions.size === 0) return;
    if (this.#line) return this.#probe();
    this.#attempt = 0;
    this.#connect();
  }

  /** Ends everything; the client cannot be used again. */
  close() {
    this.#subscriptions.clear();
    this.#hangUp();
    for (const change of ["online", "offline"]) globalThis.removeEventListener?.(change, this.#wake);
    globalThis.document?.removeEventListener("visibilitychange", this.#wake);
  }

  #unsubscribe(key, subscription, listener) {
    subscription.listeners.delete(listener);
    if (subscription.listeners.size > 0 || this.#subscriptions.get(key) !== subscription) return;
    this.#subscriptions.delete(key);
    this.#line?.remove(subscription);
    if (this.#subscriptions.size > 0) return;
    clearTimeout(this.#timers.linger);
    this.#timers.linger = setTimeout(() => this.#subscriptions.size === 0 && this.#hangUp(), LINGER_MS);
  }

  #connect() {
    this.#hangUp();
    this.#openedAt = Date.now();
    this.#heardAt = this.#probedAt = 0;
    const isCurrent = () => this.#line === line;
    const on = {
      heard: () => isCurrent() && (this.#heardAt = Date.now()),
      frame: (frame, subscription) => isCurrent() && this.#received(frame, subscription),
      failed: ({ code }) => isCurrent() && this.#failed(code),
    };
    const line = new this.transports[this.#name]({ base: this.base, token: this.token, on });
    this.#line = line;
    for (const subscription of this.#subscriptions.values()) {
      if (!hasEnded(subscription.state)) line.add(subscription);
    }
    this.#watchSoon();
  }

  #received(frame, known) {
    this.#heardAt = Date.now();
    this.#fruitless = 0;
    if (this.#name === LADDER[0]) this.#climbs = 0;
    this.#announce(this.#name, null);
    const subscription = known ?? this.#subscriptions.get(keyOf(frame));
    if (!subscription) return;
    const before = subscription.state;
    subscription.state = reduce(before, frame);
    if (subscription.state === before) return;
    if (subscription.state.resync && !before.resync) this.#line.add(subscription);
    for (const listener of subscription.listeners) listener(subscription.state);
  }

  #failed(code) {
    const wasFruitful = this.#heardAt > 0;
    if (wasFruitful && Date.now() - this.#openedAt > STABLE_MS) this.#attempt = 0;
    this.#hangUp();
    const { stop, delay } = afterClose(code, this.#attempt, this.random());
    this.#announce("offline", stop ?? null);
    if (stop) return;
    this.#attempt += 1;
    const isBlameless = wasFruitful || globalThis.navigator?.onLine === false; // without a network nothing gets through
    const rung = nextRung(this.#name, isBlameless ? 0 : this.#fruitless + 1);
    this.#name = rung.transport;
    this.#fruitless = rung.fruitless;
    this.#timers.retry = setTimeout(() => this.#connect(), delay);
  }

  #watchSoon() {
    this.#timers.watch = setTimeout(() => {
      this.#watchSoon();
      this.#watch();
    }, WATCH_MS);
  }

  /** Looks after the line in use: dead, silent, or a fallback that has lasted long enough to try the best again. */
  #watch() {
    const now = Date.now();
    const times = { now, openedAt: this.#openedAt, heardAt: this.#heardAt, probedAt: this.#probedAt };
    const verdict = health({ ...times, transport: this.#name });
    if (verdict === "dead") return this.#failed(1006);
    if (verdict === "probe") return this.#probe();
    if (this.#name === LADDER[0] || now - this.#openedAt < climbAfter(this.#climbs)) return;
    this.#climbs += 1;
    this.#name = LADDER[0];
    this.#fruitless = 0;
    this.#connect();
  }

  #probe() {
    this.#probedAt = Date.now();
    this.#line.probe();
  }

  #hangUp() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = { retry: null, watch: null, linger: null };
    const line = this.#line;
    this.#line = null;
    line?.close();
  }

  #announce(connection, problem) {
    if (connection === this.connection && problem === this.problem) return;
    this.connection = connection;
    this.problem = problem;
    this.dispatchEvent(new Event("connection"));
  }
}

const shared = new Map();

/** One client per server and token: everything on a page shares its connection. */
export function sharedClient(base, token = null) {
  const key = JSON.stringify([String(base), token]);
  if (!shared.has(key)) shared.set(key, new PagestreamClient({ base, token }));
  return shared.get(key);
}
