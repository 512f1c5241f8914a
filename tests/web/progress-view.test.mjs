import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf } from "../../services/gateway/web/client/api.js";
import * as format from "../../services/gateway/web/element/format.js";
import { announcement, filterOf, kindOf, present, presentUpload } from "../../services/gateway/web/element/progress-view.js";
import { uploadRetry } from "../../services/gateway/web/page/uploads.js";
import { TABLE, chooseLocale, wordsOf } from "../../services/gateway/web/element/words.js";

const say = wordsOf("en");
const NOW = Date.parse("2024-05-01T12:00:00Z");
const shown = (view, options = {}) => present(view, { say, now: NOW, ...options });
const stage = (status, extra = {}) => ({ status, percent: 10, attempt: 1, error: null, next_attempt_at: null, ...extra });

test("the bar of a document is what the server says, also where it failed before any work was done", () => {
  assert.equal(shown({ status: "failed", percent: 0 }).percent, 0);
  assert.equal(shown({ status: "processing", percent: 42.5 }).percent, 42.5);
});

test("the kind of a document follows its status and its message", () => {
  assert.equal(kindOf({ status: "uploaded" }), "pending");
  assert.equal(kindOf({ status: "processing" }), "running");
  assert.equal(kindOf({ status: "processing", message: { code: "queue.waiting" }, pages: { done: 0 } }), "pending");
  assert.equal(kindOf({ status: "processing", message: { code: "worker.lost" } }), "stalled");
  assert.equal(kindOf({ status: "completed", partial: true }), "partial");
  for (const same of ["retrying", "cancelling", "cancelled", "failed"]) assert.equal(kindOf({ status: same }), same);
});

test("a running document tells its pages and an estimate, or that there is none yet", () => {
  const view = { status: "processing", percent: 42.5, pages: { total: 40, done: 17 }, eta_seconds: { low: 12, high: 20 } };
  assert.deepEqual(shown(view).details, ["17 of 40 pages", "12–20 s left"]);
  assert.deepEqual(shown({ ...view, eta_seconds: null }).details, ["17 of 40 pages", "no estimate yet"]);
});

test("a document that waits for a retry tells why, where, which attempt and when; in a list without where", () => {
  const error = { code: "x", message: "The provider does not answer.", stage: "ocr", page: 7, attempt: 2 };
  const params = { attempt: 3, reason: error.message, due_at: "2024-05-01T12:00:45Z" };
  const row = { status: "retrying", percent: 20, message: { code: "retry.scheduled", params, text: "Attempt 3 …" } };
  const view = shown({ ...row, stages: { ocr: stage("retrying", { error }) } });
  assert.match(view.message, /^Attempt 3 follows at .+, in 45 s\.$/);
  assert.deepEqual(view.error, { message: error.message, where: "Text recognition, page 7, attempt 2", action: "" });
  assert.deepEqual(view.actions, ["cancel"]);
  assert.deepEqual(shown(row), { ...view, error: { ...view.error, where: "" } });
});

test("a failure tells what, where and what to do, and offers a retry", () => {
  const error = { message: "It is protected.", stage: "ocr", page: 3, attempt: 1, action: "Remove the password." };
  const view = shown({ status: "failed", percent: 0, error });
  assert.deepEqual(view.error, { message: "It is protected.", where: "Text recognition, page 3", action: "Remove the password." });
  assert.deepEqual(view.actions, ["retry"]);
});

test("a partial document names its failed pages", () => {
  const message = (failed) => shown({ status: "completed", partial: true, pages: { total: 9, failed } }).message;
  assert.match(message([9, 3, 8, 7]), /pages 3, 7–9\./);
  assert.match(message([2]), /page 2\./);
});

test("a row without stages, pages or message is shown as well", () => {
  for (const status of ["uploaded", "processing", "processed", "retrying", "cancelling", "cancelled", "failed", "completed"]) {
    assert.ok(say.has(`kind.${shown({ status, percent: 1 }).kind}`));
  }
});

test("an upload tells its bytes, its turn, its next try or its refusal", () => {
  const upload = { sent: 500_000, bytes: 1_000_000, started: true, againAt: null, problem: null };
  const told = (extra) => presentUpload({ ...upload, ...extra }, { say, now: NOW });
  assert.equal(told({}).message, "500 KB of 1 MB sent");
  assert.equal(told({}).percent, 50);
  assert.equal(told({ sent: 1e6, bytes: 1e6 }).percent, 99);
  assert.match(told({ started: false }).message, /earlier uploads/);
  assert.match(told({ againAt: "2024-05-01T12:00:08Z" }).message, /in 8 s/);
  assert.equal(told({ problem: { message: "Too large.", action: "Split it." } }).error.action, "Split it.");
});

test("a job of somebody else's is shown with its own words and offers nothing", () => {
  const job = { job_id: "job-1", title: "Import", percent: 40, eta_seconds: { low: 12, high: 20 }, error: null };
  const running = shown({ ...job, status: "running", message: { code: "job.said", params: { text: "Row 4" }, text: "Row 4" } });
  assert.deepEqual([running.message, running.details, running.actions], ["Row 4", ["12–20 s left"], []]);
  const silent = { code: "job.silent", params: { seconds: 60 }, text: "No sign of life for more than 60 seconds" };
  assert.equal(shown({ ...job, status: "stalled", message: silent }).message, silent.text);
});

test("what the server says is told in German by its code, with plurals and numbers as they are written there", () => {
  const german = wordsOf("de-DE");
  const told = (code, params, text = "the server's own") => german.message({ code, params, text });
  assert.equal(told("document.partial", { failed: 1 }), "Fertig, bis auf 1 Teil");
  assert.equal(told("document.partial", { failed: 12 }), "Fertig, bis auf 12 Teile");
  assert.equal(told("rebuild.replaying", { done: 1234, total: 200000 }), "1.234 von 200.000 Einträgen nachgespielt");
  assert.equal(told("queue.waiting", {}), "Wartet, bis ein Arbeiter frei ist");
  assert.equal(told("queue.waiting", { ahead: 3 }), "Wartet, bis ein Arbeiter frei ist, 3 davor");
  assert.equal(told("ocr.pages_done", { done: 3 }), "the server's own"); // a parameter that it does not know
  assert.equal(told("stage.of_tomorrow", {}), "the server's own");
  assert.equal(told("constructor", {}), "the server's own");
  assert.equal(wordsOf("en").message({ code: "document.partial", params: { failed: 1 }, text: "as said" }), "as said");
});

test("an error is told in German with its facts, also within the message of a retry", () => {
  const error = { code: "corrupt_pdf", facts: { detail: "no pages" }, message: "The PDF …", action: "Open …", stage: "ocr", attempt: 2 };
  const failed = present({ status: "failed", error }, { say: wordsOf("de"), now: NOW }).error;
  assert.equal(failed.message, "Das PDF ist beschädigt und lässt sich nicht öffnen: no pages.");
  assert.equal(failed.where, "Texterkennung, Versuch 2");
  const message = { code: "retry.scheduled", params: { attempt: 3, reason: "The PDF …", error }, text: "Attempt 3 …" };
  const retrying = present({ status: "retrying", message }, { say: wordsOf("de"), now: NOW }); // as a row of a list
  assert.equal(retrying.message, "Versuch 3 folgt von selbst: Das PDF ist beschädigt und lässt sich nicht öffnen: no pages.");
  assert.equal(retrying.error.message, failed.message);
  const { message: said } = wordsOf("de").error({ code: "quota", message: "The importer's own words" });
  assert.equal(said, "The importer's own words");
});

test("a refusal of an upload is told in German as well", () => {
  const body = { code: "store_full", detail: "The blob store is full.", action: "Ask …" };
  assert.equal(problemOf(507, body, null, wordsOf("de")).message, "Der Dateispeicher ist voll.");
});

test("only a new state or another quarter is read out", () => {
  const at = (percent, kind = "running") => ({ kind, percent, label: "L", message: "", error: null, valueText: `${percent}` });
  assert.equal(announcement(null, at(3)), "");
  assert.equal(announcement(at(3), at(24)), "");
  assert.equal(announcement(at(24), at(26)), "26");
  assert.equal(announcement(at(99), at(100, "completed")), "L");
});

test("every kind falls under a filter", () => {
  assert.equal(filterOf("stalled"), "active");
  assert.equal(filterOf("partial"), "partial");
});

test("numbers are written as people read them", () => {
  assert.equal(format.formatPercent(99.99, "en"), "99\u00a0%");
  assert.equal(format.formatRange({ low: 60, high: 300 }, say), "1–5 min");
  assert.equal(format.formatRange({ low: 0, high: 1 }, say), "a moment");
  assert.equal(format.formatBytes(81_234, "en"), "81 KB");
  assert.equal(format.formatBytes(0, "en"), "0 B");
  assert.equal(format.formatWait("2024-05-01T11:00:00Z", NOW, say), "any moment");
});

test("every word is there in both languages with the same parameters", () => {
  const parametersOf = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, texts] of Object.entries(TABLE)) {
    assert.equal(texts.length, 2, key);
    assert.deepEqual(parametersOf(texts[0]), parametersOf(texts[1]), key);
  }
});

test("the first language with words is chosen, else English", () => {
  assert.equal(chooseLocale(["fr-FR", "de-AT", "en"]), "de-AT");
  assert.equal(chooseLocale(["fr"]), "en");
  assert.equal(wordsOf("de-AT")("cancel"), "Abbrechen");
});

test("a text of the server cannot reach into the table by a placeholder of its own", () => {
  assert.equal(say("progress", { name: "{total}.pdf" }), "Progress of {total}.pdf");
});

test("a problem body gives sentence, code and action; a proxy's page gives the status", () => {
  const body = { title: "Too large", detail: "The file is 3 GB; the limit is 1 GB.", code: "too_large", action: "Split it." };
  const problem = problemOf(413, body, null, say);
  assert.deepEqual([problem.message, problem.code, problem.action], [body.detail, "too_large", "Split it."]);
  assert.equal(problemOf(502, null, null, say).message, "The server answered with status 502.");
  assert.equal(problemOf(503, {}, "7", say).retryAfter, 7);
});

test("an upload is tried again when the server could not take it, never when it refused", () => {
  assert.equal(uploadRetry({ status: 503, retryAfter: 2 }, 0, 0.5), 2_500);
  assert.equal(uploadRetry({ status: 0, retryAfter: null }, 3, 0.5), 4_000);
  assert.equal(uploadRetry({ status: 415, retryAfter: null }, 0, 0.5), null);
  assert.equal(uploadRetry({ status: 503, retryAfter: null }, 5, 0.5), null);
});
