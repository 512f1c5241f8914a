// The three ways frames come in: WebSocket, event stream, long poll. Thin shells; the decisions are in protocol.js.
//
// Each is made with `{base, token, on}` and has `add(subscription)`, `remove(subscription)`, `probe()`, `close()`.
// It calls `on.frame(frame, subscription or null)`, `on.heard()` for any sign of life, and `on.failed({code})` once.

import { SUBPROTOCOL, codeOfStatus, frameOfView, hasEnded, parseEvents, pathOf, subscribeFrame } from "./protocol.js";

// Browsers open six HTTP/1.1 connections to a host: the fallbacks must leave some for uploads and pages.
const OPEN_STREAMS = 4;
const WAIT_S = 25;
const SHORT_POLL_MS = 3_000;
const NOBODY = "00000000-0000-0000-0000-000000000000";

export class SocketTransport {
  #socket;
  #ref = 0;
  #waiting = new Map(); // ref → subscription
  #open = false;
  #queue = new Set();

  constructor({ base, token, on }) {
    const url = new URL("v1/live", base);
    url.protocol = url.protocol.replace("http", "ws");
    const protocols = token ? [SUBPROTOCOL, `bearer.${token}`] : [SUBPROTOCOL];
    this.#socket = new WebSocket(url, protocols);
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = (event) => this.#received(event, on);
    this.#socket.onclose = (event) => on.failed({ code: event.code });
  }

  add(subscription) {
    if (!this.#open) return void this.#queue.add(subscription);
    this.#ref += 1;
    this.#waiting.set(this.#ref, subscription);
    this.#send(subscribeFrame(subscription.state, this.#ref));
  }

  remove(subscription) {
    this.#queue.delete(subscription);
    this.#send({ op: "unsubscribe", ref: ++this.#ref, ...subscription.target });
  }

  /** Asks for any answer: unsubscribing from what nobody subscribed to changes nothing and is always answered. */
  probe() {
    this.#send({ op: "unsubscribe", ref: ++this.#ref, document_id: NOBODY });
  }

  close() {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  #opened() {
    this.#open = true;
    for (const subscription of this.#queue) this.add(subscription);
    this.#queue.clear();
  }

  #received(event, on) {
    on.heard();
    const frame = JSON.parse(event.data);
    const subscription = this.#waiting.get(frame.ref) ?? null;
    this.#waiting.delete(frame.ref);
    on.frame(frame, subscription);
  }

  #send(frame) {
    if (this.#open && this.#socket.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }
}

/** What the two HTTP fallbacks share: one request loop per subscription, ended by its AbortController. */
class HttpTransport {
  #loops = new Map();

  constructor({ base, token, on }) {
    this.base = base;
    this.on = on;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  get crowded() {
    return this.#loops.size > OPEN_STREAMS;
  }

  add(subscription) {
    this.remove(subscription);
    const abort = new AbortController();
    this.#loops.set(subscription, abort);
    this.follow(subscription, abort.signal).catch((error) => {
      if (!abort.signal.aborted) this.on.failed({ code: error.code ?? 1006 });
    });
  }

  remove(subscription) {
    this.#loops.get(subscription)?.abort();
    this.#loops.delete(subscription);
  }

  probe() {} // a stream sends comments, a poll ends by itself

  close() {
    for (const subscription of [...this.#loops.keys()]) this.remove(subscription);
  }

  /** A good answer; null when the document is not there (its subscription is told); throws for everything else. */
  async get(path, subscription, options) {
    const headers = { ...this.headers, ...options.headers };
    const response = await fetch(new URL(path, this.base), { ...options, headers, cache: "no-store" });
    if (response.ok) return response;
    if (response.status !== 404) throw Object.assign(new Error(path), { code: codeOfStatus(response.status) });
    const gone = subscription.state.document ? "deleted" : "error";
    this.on.frame({ op: gone, error: { code: "document.not_found", status: 404 } }, subscription);
    return null;
  }
}

/** Server-sent events, read with fetch: unlike EventSource it carries an API key and shows the server's comments. */
export class StreamTransport extends HttpTransport {
  async follow(subscription, signal) {
    if (this.crowded) throw new Error("too many streams for one host: poll");
    const { target } = subscription;
    const path = target.feed ? `v1/live?${new URLSearchParams(target)}` : `${pathOf(target)}/live`;
    const response = await this.get(path, subscription, { signal, headers: { Accept: "text/event-stream" } });
    if (response === null) return;
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) throw new Error("not a stream");
    await this.#read(response.body.pipeThrough(new TextDecoderStream()).getReader(), subscription);
    if (!signal.aborted && !hasEnded(subscription.state)) throw new Error("the stream ended");
  }

  async #read(reader, subscription) {
    let buffer = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.on.heard();
      const { events, rest } = parseEvents(buffer + value);
      buffer = rest;
      for (const data of events) this.on.frame(JSON.parse(data), subscription);
    }
  }
}

/** Long poll; with many subscriptions short polls, which leave connections free. */
export class PollTransport extends HttpTransport {
  async follow(subscription, signal) {
    let since = null;
    while (!signal.aborted) {
      const wait = since !== null && !this.crowded ? WAIT_S : 0;
      const askedAt = Date.now();
      const response = await this.get(pollPath(subscription.target, wait, since), subscription, { signal });
      if (response === null) return;
      const body = await response.json();
      if (signal.aborted) return;
      const previous = since;
      since = etagOf(response) ?? (body.epoch ? `${body.epoch}:${body.version}` : null);
      this.on.heard();
      this.on.frame(frameOfBody(subscription, body), subscription);
      const isBusyLoop = since === previous && Date.now() - askedAt < SHORT_POLL_MS; // a server that does not wait
      if (this.crowded || isBusyLoop) await new Promise((resolve) => setTimeout(resolve, SHORT_POLL_MS));
    }
  }
}

function pollPath(target, wait, since) {
  const query = target.batch ? { limit: 200, batch: target.batch } : { limit: 200 };
  const path = target.feed ? `v1/documents?${new URLSearchParams(query)}&` : `${pathOf(target)}?`;
  return wait ? `${path}wait=${wait}&since=${encodeURIComponent(since)}` : path.slice(0, -1);
}

function etagOf(response) {
  return response.headers.get("etag")?.replace(/^W\//, "").replaceAll('"', "") ?? null;
}

function frameOfBody({ target, state }, body) {
  if (!target.feed) return frameOfView(state, body);
  return { op: "snapshot", ...target, epoch: body.documents[0]?.epoch ?? null, ...body };
}

export const TRANSPORTS = { websocket: SocketTransport, sse: StreamTransport, poll: PollTransport };
