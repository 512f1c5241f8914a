import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { PagestreamClient } from "../../services/gateway/web/client/client.js";

let lines;

class FakeLine {
  constructor(options) {
    Object.assign(this, options, { added: [], probes: 0, closed: false });
    lines.push(this);
  }
  add = (subscription) => this.added.push(subscription);
  remove = (subscription) => (this.added = this.added.filter((other) => other !== subscription));
  probe = () => (this.probes += 1);
  close = () => (this.closed = true);
}

const kind = (name) => class extends FakeLine { name = name; };
const transports = { websocket: kind("websocket"), sse: kind("sse"), poll: kind("poll") };
const target = { document_id: "d1" };
const snapshot = (version, epoch = "e1") => ({ op: "snapshot", document_id: "d1", epoch, version, document: { version } });
const last = () => lines.at(-1);

/** Lets time pass in small steps: one long tick would show every timer the clock of its end. */
function pass(ms) {
  for (let passed = 0; passed < ms; passed += 250) mock.timers.tick(250);
}

function start() {
  const client = new PagestreamClient({ base: "http://server/", transports, random: () => 0.5 });
  const states = [];
  const stop = client.subscribe(target, (state) => states.push(state));
  return { client, states, stop };
}

beforeEach(() => {
  lines = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
});

test("the state arrives at once, then after each frame that changes it", () => {
  const { client, states } = start();
  assert.equal(client.connection, "offline");
  last().on.frame(snapshot(5), null);
  last().on.frame(snapshot(5), null);
  assert.deepEqual(states.map(({ version }) => version), [-1, 5, 5]);
  assert.equal(client.connection, "websocket");
});

test("two listeners of one document share one subscription", () => {
  const { client, stop } = start();
  const seen = [];
  const stopSecond = client.subscribe(target, (state) => seen.push(state.version));
  last().on.frame(snapshot(5), null);
  assert.deepEqual(seen, [-1, 5]);
  assert.equal(last().added.length, 1);
  stop();
  assert.equal(last().added.length, 1);
  stopSecond();
  assert.equal(last().added.length, 0);
});

test("a lost line comes back and resumes its subscriptions", () => {
  const { client } = start();
  last().on.frame(snapshot(5), null);
  last().on.failed({ code: 1006 });
  assert.equal(client.connection, "offline");
  pass(250);
  assert.equal(lines.length, 2);
  assert.equal(last().added[0].state.version, 5);
});

test("a line of the past is not listened to", () => {
  const { states } = start();
  const old = last();
  old.on.failed({ code: 1006 });
  pass(250);
  old.on.frame(snapshot(9), null);
  assert.equal(states.at(-1).version, -1);
});

test("blocked WebSockets lead to the event stream, then to long poll", () => {
  start();
  for (let failure = 0; failure < 4; failure += 1) {
    last().on.failed({ code: 1006 });
    pass(5_000);
  }
  assert.deepEqual(lines.map((line) => line.name), ["websocket", "websocket", "sse", "sse", "poll"]);
});

test("without a network no transport is blamed, so that the best one is tried when it is back", (context) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator") ?? { value: undefined };
  Object.defineProperty(globalThis, "navigator", { value: { onLine: false }, configurable: true });
  context.after(() => Object.defineProperty(globalThis, "navigator", { ...before, configurable: true }));
  start();
  for (let failure = 0; failure < 4; failure += 1) {
    last().on.failed({ code: 1006 });
    pass(5_000);
  }
  assert.deepEqual(lines.map((line) => line.name), Array(5).fill("websocket"));
});

test("a WebSocket that opens and stays mute counts as blocked", () => {
  start();
  pass(7_500 + 250);
  assert.equal(last().name, "websocket");
  pass(7_500 + 500);
  assert.equal(last().name, "sse");
});

test("from a fallback the WebSocket is tried again, ever more rarely while it stays blocked", () => {
  start();
  const climbs = [];
  for (let second = 0; second < 300; second += 1) {
    const line = last();
    if (line.name === "websocket" && !line.closed) line.on.failed({ code: 1006 });
    if (line.name === "sse") line.on.frame(snapshot(second), null);
    pass(1_000);
    if (line.name === "sse" && last().name === "websocket") climbs.push(second);
  }
  assert.ok(climbs.length >= 3);
  assert.ok(climbs[1] - climbs[0] < climbs[2] - climbs[1]);
});

test("a client that is told to sign in stops and says so", () => {
  const { client } = start();
  const told = [];
  client.addEventListener("connection", () => told.push(client.problem));
  last().on.failed({ code: 4401 });
  pass(60_000);
  assert.deepEqual(told, ["sign_in"]);
  assert.equal(lines.length, 1);
});

test("a connection that is closed again and again is asked for ever more slowly", () => {
  start();
  for (let close = 0; close < 5; close += 1) {
    last().on.frame(snapshot(5 + close), null);
    last().on.failed({ code: 4408 });
    pass(250);
  }
  assert.ok(lines.length < 4);
});

test("an update of an unknown epoch has the document subscribed again on the same line", () => {
  start();
  last().on.frame(snapshot(5), null);
  last().on.frame({ op: "update", document_id: "d1", epoch: "e2", version: 7, document: {} }, null);
  assert.equal(last().added.length, 2);
});

test("waking up connects at once and asks a silent line for a sign", () => {
  const { client } = start();
  last().on.failed({ code: 1006 });
  client.wake();
  assert.equal(lines.length, 2);
  client.wake();
  assert.equal(last().probes, 1);
});

test("a closed client comes back no more", () => {
  const { client } = start();
  last().on.failed({ code: 1006 });
  client.close();
  pass(60_000);
  assert.equal(lines.length, 1);
});
