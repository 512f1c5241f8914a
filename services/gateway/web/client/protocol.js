// What a client of Pagestream decides: which frame to believe, when to come back, over which connection. Pure.
// Time and randomness are arguments.

export const SUBPROTOCOL = "pagestream.v1";
export const SILENCE_MS = 45_000; // the server gives a sign every 20 s: after this long without one the line is dead
export const PROBE_MS = 20_000; // a browser hides the pings of a WebSocket, so a quiet client asks by itself
export const ANSWER_MS = 5_000; // for the first frame and for a probe; the server takes 2 s at most
export const STABLE_MS = 10_000; // a connection that lasted this long was a success
export const LADDER = ["websocket", "sse", "poll"]; // best first
export const TRIES_PER_RUNG = 2;
const CLIMB_MS = 30_000;
export const FEED_ROWS = 500; // a page left open for weeks keeps the newest rows only

const BASE_MS = 500;
const CAP_MS = 30_000;
const RESTART_MS = 5_000;
const CROWDED_ATTEMPT = 4; // "too many" starts where the fifth failure would

// A close code that another try would only repeat: what it means.
const FINAL_CODES = new Map([
  [4400, "bad_frame"],
  [4401, "sign_in"],
  [4403, "forbidden"],
  [4404, "not_found"],
]);

/** The name of a subscription: one per document, job, batch and feed. Takes a target, or a frame about one. */
export function keyOf({ feed, batch, document_id, job_id }) {
  if (feed) return feed === "batch" ? `batch/${batch}` : `feed/${feed}`;
  return job_id ? `job/${job_id}` : `document/${document_id}`;
}

/** Where a document or job is found over HTTP. */
export function pathOf(target) {
  return target.job_id ? `v1/jobs/${target.job_id}` : `v1/documents/${target.document_id}`;
}

/** What is known of a subscription before the first frame. */
export function emptyState(target) {
  const state = { target, status: "waiting", epoch: null, version: -1, error: null, resync: false };
  return target.feed ? { ...state, documents: new Map(), gone: new Set(), progress: null } : { ...state, document: null };
}

/**
 * The state after a frame; the same object when the frame changes nothing.
 *
 * Within an epoch versions only grow, so an older frame is dropped. A `snapshot` always replaces. An update of another
 * epoch cannot be compared: the state asks for a snapshot (`resync`) instead of guessing.
 */
export function reduce(state, frame) {
  if (state.status === "deleted") return state;
  switch (frame.op) {
    case "snapshot":
      return { ...state, ...contentOf(state, frame), epoch: frame.epoch, status: "live", error: null, resync: false };
    case "current":
      return state.status === "live" ? state : { ...state, status: "live", error: null };
    case "update":
    case "deleted":
      return reduceChange(state, frame);
    case "error":
      return { ...state, status: "error", error: frame.error ?? { code: "unknown" } };
    default:
      return state; // "unsubscribed", and what a newer server may say
  }
}

function reduceChange(state, frame) {
  if (state.target.feed) return reduceFeed(state, frame);
  if (frame.op === "deleted") return { ...state, status: "deleted", version: frame.version, document: null };
  if (frame.epoch !== state.epoch) return state.resync ? state : { ...state, resync: true };
  if (frame.version <= state.version) return state;
  return { ...state, version: frame.version, document: frame.document, status: "live" };
}

function reduceFeed(before, frame) {
  const state = frame.progress ? { ...before, progress: frame.progress } : before;
  const id = frame.document_id ?? frame.document?.document_id;
  if (frame.op === "deleted") {
    if (state.gone.has(id)) return before;
    const documents = new Map(state.documents);
    documents.delete(id);
    return { ...state, documents, gone: new Set(state.gone).add(id) };
  }
  if (frame.epoch !== state.epoch) return before.resync ? before : { ...before, resync: true };
  if (state.gone.has(id) || frame.version <= (state.documents.get(id)?.version ?? -1)) return before;
  return { ...state, documents: newestRows(new Map(state.documents).set(id, frame.document)) };
}

function contentOf(state, frame) {
  if (!state.target.feed) return { document: frame.document, version: frame.version };
  const rows = (frame.documents ?? []).map((row) => [row.document_id, row]);
  const progress = frame.progress ?? null;
  return { documents: new Map(rows), version: frame.version ?? 0, gone: new Set(), progress };
}

function newestRows(documents) {
  if (documents.size <= FEED_ROWS) return documents;
  let oldest = null;
  for (const row of documents.values()) {
    if (oldest === null || row.uploaded_at < oldest.uploaded_at) oldest = row;
  }
  documents.delete(oldest.document_id);
  return documents;
}

/** Whether nothing more will come for this subscription. */
export function hasEnded(state) {
  return state.status === "deleted" || state.status === "error";
}

/** What to send to (re)subscribe; a document that is already known resumes, a feed always starts with a snapshot. */
export function subscribeFrame(state, ref) {
  const frame = { op: "subscribe", ref, ...state.target };
  const known = !state.target.feed && state.document !== null && !state.resync;
  return known ? { ...frame, have: { epoch: state.epoch, version: state.version } } : frame;
}

/** A polled view as a frame: a snapshot where it cannot be compared with what is known, else an update. */
export function frameOfView(state, view) {
  const op = view.epoch === state.epoch ? "update" : "snapshot";
  return { op, ...state.target, epoch: view.epoch, version: view.version, document: view };
}

/** Milliseconds until try number `attempt` (from 0): exponential, capped, full jitter. `random` is in [0, 1). */
export function backoff(attempt, random) {
  return random * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16));
}

/** After a close: `{stop: meaning}`, or `{delay}` in milliseconds. `attempt` counts failures in a row. */
export function afterClose(code, attempt, random) {
  if (FINAL_CODES.has(code)) return { stop: FINAL_CODES.get(code) };
  if (code === 1012) return { delay: Math.max(random * RESTART_MS, backoff(attempt, random)) };
  if (code === 4429) return { delay: backoff(attempt + CROWDED_ATTEMPT, random) };
  return { delay: backoff(attempt, random) };
}

/** The close code that an HTTP status of a fallback stands for. */
export function codeOfStatus(status) {
  return { 401: 4401, 403: 4403, 429: 4429 }[status] ?? 1006;
}

/**
 * Where to connect next: one step down after `TRIES_PER_RUNG` tries in a row that brought no frame, then round again.
 * Returns `{transport, fruitless}`, with `fruitless` counting such tries on that rung.
 */
export function nextRung(transport, fruitless) {
  if (fruitless < TRIES_PER_RUNG) return { transport, fruitless };
  return { transport: LADDER[(LADDER.indexOf(transport) + 1) % LADDER.length], fruitless: 0 };
}

/**
 * What to do about a line: "fine", "probe" or "dead". Times in milliseconds, 0 for never.
 *
 * A WebSocket is only given up after an unanswered probe: in a hidden tab timers are late, not the server.
 */
export function health({ now, openedAt, heardAt, probedAt, transport }) {
  const silent = now - Math.max(openedAt, heardAt);
  if (transport === "poll") return silent > SILENCE_MS ? "dead" : "fine";
  if (heardAt === 0) return silent > ANSWER_MS ? "dead" : "fine";
  if (transport === "sse") return silent > SILENCE_MS ? "dead" : "fine";
  if (probedAt > heardAt) return now - probedAt > ANSWER_MS ? "dead" : "fine";
  return silent > PROBE_MS ? "probe" : "fine";
}

/** Milliseconds on a fallback until the WebSocket is tried again, after `climbs` such tries in vain. */
export const climbAfter = (climbs) => CLIMB_MS * 2 ** Math.min(climbs, 5);

/** Splits a buffer of `text/event-stream` into `{events: [data, …], rest}`; comments and other fields are dropped. */
export function parseEvents(buffer) {
  const blocks = buffer.replace(/\r\n/g, "\n").split("\n\n");
  const rest = blocks.pop();
  const events = blocks.map(dataOf).filter((data) => data !== "");
  return { events, rest };
}

function dataOf(block) {
  const lines = block.split("\n").filter((line) => line.startsWith("data:"));
  return lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}
