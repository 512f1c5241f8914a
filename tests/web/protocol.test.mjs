import assert from "node:assert/strict";
import { test } from "node:test";
import * as protocol from "../../services/gateway/web/client/protocol.js";

const { reduce, emptyState } = protocol;
const ID = "6f1c2a34-0000-4000-8000-000000000001";
const view = (version, extra = {}) => ({ document_id: ID, epoch: "e1", version, uploaded_at: "2024-01-01", ...extra });
const frame = (op, version, epoch = "e1") => ({ op, document_id: ID, epoch, version, document: view(version, { epoch }) });
const run = (state, ...frames) => frames.reduce(reduce, state);
const one = () => emptyState({ document_id: ID });
const feed = () => emptyState({ feed: "documents" });
const feedSnapshot = (...documents) => ({ op: "snapshot", feed: "documents", epoch: "e1", version: 1, documents });

test("an update with a higher version replaces the document", () => {
  const state = run(one(), frame("snapshot", 5), frame("update", 6));
  assert.equal(state.version, 6);
  assert.equal(state.document.version, 6);
  assert.equal(state.status, "live");
});

test("an older or repeated update changes nothing", () => {
  const state = run(one(), frame("snapshot", 5));
  assert.equal(reduce(state, frame("update", 4)), state);
  assert.equal(reduce(state, frame("update", 5)), state);
});

test("a snapshot replaces even a newer version of another epoch", () => {
  const state = run(one(), frame("snapshot", 9), frame("snapshot", 2, "e2"));
  assert.deepEqual([state.epoch, state.version], ["e2", 2]);
});

test("an update of another epoch asks for a snapshot once and keeps what is shown", () => {
  const state = run(one(), frame("snapshot", 5), frame("update", 7, "e2"));
  assert.equal(state.resync, true);
  assert.equal(state.document.version, 5);
  assert.equal(reduce(state, frame("update", 8, "e2")), state);
  assert.equal(reduce(state, frame("snapshot", 8, "e2")).resync, false);
});

test("whatever order the updates of an epoch arrive in, the newest is shown in the end", () => {
  const frames = [6, 7, 8, 9].map((version) => frame("update", version));
  for (const order of permutations(frames)) {
    const versions = [];
    const step = (state, next) => {
      const after = reduce(state, next);
      versions.push(after.version);
      return after;
    };
    assert.equal(order.reduce(step, run(one(), frame("snapshot", 5))).version, 9);
    assert.deepEqual(versions, [...versions].sort());
  }
});

test("a deleted document stays deleted", () => {
  const state = run(one(), frame("snapshot", 5), { op: "deleted", document_id: ID, epoch: "e1", version: 6 });
  assert.equal(state.status, "deleted");
  assert.equal(reduce(state, frame("snapshot", 7)), state);
});

test("an error frame ends the subscription with its code", () => {
  const state = reduce(one(), { op: "error", ref: 1, error: { code: "document.not_found" } });
  assert.equal(state.error.code, "document.not_found");
  assert.equal(protocol.hasEnded(state), true);
});

test("a frame of a newer server changes nothing", () => {
  const state = run(one(), frame("snapshot", 5));
  assert.equal(reduce(state, { op: "hello" }), state);
});

test("a known document resumes with what it has, a new one and a feed do not", () => {
  const known = run(one(), frame("snapshot", 5));
  assert.deepEqual(protocol.subscribeFrame(known, 3).have, { epoch: "e1", version: 5 });
  assert.equal(protocol.subscribeFrame(one(), 1).have, undefined);
  assert.equal(protocol.subscribeFrame(run(feed(), feedSnapshot(view(1))), 1).have, undefined);
  assert.equal(protocol.subscribeFrame(run(known, frame("update", 7, "e2")), 4).have, undefined);
});

test("feed rows are compared one by one", () => {
  const other = { ...view(3), document_id: "other" };
  const state = run(feed(), feedSnapshot(view(5), other), frame("update", 4), frame("update", 6));
  assert.equal(state.documents.get(ID).version, 6);
  assert.equal(state.documents.get("other").version, 3);
});

test("a late update does not bring a deleted row back", () => {
  const gone = { op: "deleted", feed: "documents", document_id: ID, epoch: "e1", version: 6 };
  const state = run(feed(), feedSnapshot(view(5)), gone, frame("update", 7));
  assert.equal(state.documents.has(ID), false);
});

test("a feed left open keeps a bounded number of rows and drops the oldest", () => {
  let state = run(feed(), feedSnapshot());
  for (let day = 0; day <= protocol.FEED_ROWS; day += 1) {
    const document = { document_id: `d${day}`, epoch: "e1", version: 1, uploaded_at: String(1e6 + day) };
    state = reduce(state, { op: "update", feed: "documents", document_id: `d${day}`, epoch: "e1", version: 1, document });
  }
  assert.equal(state.documents.size, protocol.FEED_ROWS);
  assert.equal(state.documents.has("d0"), false);
});

test("a polled view is an update within its epoch and a snapshot in a new one", () => {
  const state = run(one(), frame("snapshot", 5));
  assert.equal(reduce(state, protocol.frameOfView(state, view(4))), state);
  assert.equal(reduce(state, protocol.frameOfView(state, view(2, { epoch: "e2" }))).version, 2);
});

test("a job is a subscription like a document's, found at an address of its own", () => {
  const target = { job_id: "job-1" };
  const state = run(emptyState(target), { op: "snapshot", ...target, epoch: "e1", version: 2, document: { percent: 40 } });
  assert.deepEqual([state.status, state.document.percent], ["live", 40]);
  assert.deepEqual(protocol.subscribeFrame(state, 4), { op: "subscribe", ref: 4, ...target, have: { epoch: "e1", version: 2 } });
  assert.equal(protocol.pathOf(target), "v1/jobs/job-1");
  assert.equal(protocol.frameOfView(state, { epoch: "e1", version: 3 }).job_id, "job-1");
});

test("a batch has its rows and how far they are together", () => {
  const target = { feed: "batch", batch: "May" };
  const progress = (percent) => ({ status: "processing", percent, total: 2, done: 0, failed: 0, cancelled: 0 });
  const before = run(emptyState(target), { ...feedSnapshot(view(5)), ...target, progress: progress(40) });
  assert.equal(before.progress.percent, 40);
  const after = reduce(before, { ...frame("update", 6), ...target, progress: progress(60) });
  assert.deepEqual([after.progress.percent, after.documents.get(ID).version], [60, 6]);
  assert.equal(reduce(after, { ...frame("update", 6), ...target, progress: progress(10) }), after);
});

test("every target has a name of its own, and so have the frames about it", () => {
  const targets = [{ document_id: "x" }, { job_id: "x" }, { feed: "documents" }, { feed: "batch", batch: "x" }];
  const names = targets.map(protocol.keyOf);
  assert.equal(new Set(names).size, 4);
  assert.deepEqual(targets.map((target) => protocol.keyOf({ op: "update", document_id: "d1", ...target })).slice(2), names.slice(2));
});

test("backoff grows, is capped at 30 s and has full jitter", () => {
  assert.equal(protocol.backoff(0, 0.5), 250);
  assert.equal(protocol.backoff(3, 0.5), 2000);
  assert.equal(protocol.backoff(500, 0.999) < 30_000, true);
  assert.equal(protocol.backoff(9, 0), 0);
});

test("close codes that a try would only repeat stop the client, others do not", () => {
  for (const code of [4400, 4401, 4403, 4404]) assert.ok(protocol.afterClose(code, 0, 0.5).stop);
  for (const code of [1000, 1006, 1012, 4408, 4429]) assert.equal(protocol.afterClose(code, 0, 0.5).stop, undefined);
});

test("a restarting server gets its clients back spread over 5 s", () => {
  assert.equal(protocol.afterClose(1012, 0, 0.9).delay, 4500);
});

test("a crowded server is given more time than a lost line", () => {
  assert.ok(protocol.afterClose(4429, 0, 0.5).delay > protocol.afterClose(1006, 0, 0.5).delay);
});

test("two tries without a frame lead one rung down, and from the last back to the first", () => {
  assert.deepEqual(protocol.nextRung("websocket", 1), { transport: "websocket", fruitless: 1 });
  assert.deepEqual(protocol.nextRung("websocket", 2), { transport: "sse", fruitless: 0 });
  assert.deepEqual(protocol.nextRung("poll", 2), { transport: "websocket", fruitless: 0 });
});

const times = (extra) => ({ now: 100_000, openedAt: 1_000, heardAt: 0, probedAt: 0, transport: "websocket", ...extra });

test("an open line that brings no first frame is dead", () => {
  assert.equal(protocol.health(times({ now: 7_000 })), "dead");
  assert.equal(protocol.health(times({ now: 5_000 })), "fine");
});

test("a silent WebSocket is probed, and dead only when the probe stays unanswered", () => {
  assert.equal(protocol.health(times({ heardAt: 70_000 })), "probe");
  assert.equal(protocol.health(times({ heardAt: 10_000 })), "probe"); // a hidden tab: its timers were late
  assert.equal(protocol.health(times({ heardAt: 70_000, probedAt: 97_000 })), "fine");
  assert.equal(protocol.health(times({ heardAt: 70_000, probedAt: 94_000 })), "dead");
  assert.equal(protocol.health(times({ heardAt: 90_000, probedAt: 80_000 })), "fine");
});

test("a stream that is silent for 45 s is dead", () => {
  assert.equal(protocol.health(times({ heardAt: 60_000, transport: "sse" })), "fine");
  assert.equal(protocol.health(times({ heardAt: 54_000, transport: "sse" })), "dead");
});

test("an event stream cut anywhere yields the same events", () => {
  const text = ': ping\n\nid: e1:5\ndata: {"a":1}\n\ndata: {"b":\ndata: 2}\r\n\r\nevent: update\ndata:{"c":3}\n\n';
  for (let cut = 0; cut <= text.length; cut += 1) {
    const first = protocol.parseEvents(text.slice(0, cut));
    const second = protocol.parseEvents(first.rest + text.slice(cut));
    assert.deepEqual([...first.events, ...second.events], ['{"a":1}', '{"b":\n2}', '{"c":3}'], `cut at ${cut}`);
    assert.equal(second.rest, "");
  }
});

function permutations(items) {
  if (items.length < 2) return [items];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}
