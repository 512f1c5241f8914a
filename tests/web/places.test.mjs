import assert from "node:assert/strict";
import { test } from "node:test";

import { formatDuration, spansOf, timesOf } from "../../services/gateway/web/page/document/durations.js";
import { PAGE_TABLE } from "../../services/gateway/web/page/page-table.js";
import { passageOf, unitsAt } from "../../services/gateway/web/page/document/passages.js";
import { documentHash, parseRoute } from "../../services/gateway/web/page/routes.js";
import { TABLE } from "../../services/gateway/web/element/words.js";

const EMPTY = { id: null, token: null, page: null, span: null };

test("a place in a document survives its address", () => {
  const place = { token: "pst_x-Y_1", page: 3, span: [12, 40] };
  assert.deepEqual(parseRoute(documentHash("a-1", place)), { name: "document", id: "a-1", ...place });
  assert.equal(documentHash("a-1"), "#/documents/a-1");
});

test("an address that means nothing is the list, and carries no token", () => {
  for (const hash of ["", "#", "#/", "#/nowhere", "#/documents/", "#/documents/a/b?token=x", "#/?token=x"]) {
    assert.deepEqual(parseRoute(hash), { name: "home", ...EMPTY }, hash);
  }
  assert.deepEqual(parseRoute("#/system?token=x"), { name: "system", ...EMPTY });
  assert.deepEqual(parseRoute("#/documents/a?page=-&at=4"), { name: "document", ...EMPTY, id: "a" });
});

test("characters of the server are found in JavaScript's units", () => {
  const text = "a😀b😀c";
  assert.deepEqual([-1, 0, 1, 2, 3, 4, 5, 9].map((points) => unitsAt(text, points)), [0, 0, 1, 3, 4, 6, 7, 7]);
});

test("a passage shows the first words that were found, marked, and says what it leaves out", () => {
  assert.deepEqual(passageOf("the  red\nboat", [[5, 8]]), [
    { text: "the ", found: false },
    { text: "red", found: true },
    { text: " boat", found: false },
  ]);
  const long = `${"word ".repeat(100)}😀 harbour ${"word ".repeat(100)}`;
  const parts = passageOf(long, [[502, 509]]);
  assert.deepEqual(parts.filter((part) => part.found), [{ text: "harbour", found: true }]);
  assert.deepEqual([parts[0].text, parts.at(-1).text], ["…", "…"]);
  assert.deepEqual(passageOf("plain", []), [{ text: "plain", found: false }]);
});

test("durations are read in one or two units", () => {
  const read = [0, 340, 1200, 59_949, 59_950, 125_000, 3_600_000, 7_530_000].map((ms) => formatDuration(ms, "en"));
  assert.deepEqual(read, ["0 ms", "340 ms", "1.2 s", "59.9 s", "1 min", "2 min 5 s", "1 h", "2 h 6 min"]);
});

test("each row has the time since the one before, the end of a stage the time since it last began", () => {
  const at = (ms) => new Date(1.7e12 + ms).toISOString();
  const rows = [
    { type: "DocumentUploaded", at: at(0), stage: null },
    { type: "StageStarted", at: at(100), stage: "ocr" },
    { type: "StageFailed", at: at(400), stage: "ocr" },
    { type: "StageStarted", at: at(900), stage: "ocr" },
    { type: "StageCompleted", at: at(800), stage: "ocr" },
  ];
  const [first, ...rest] = timesOf(rows);
  assert.deepEqual(first, { since: null, took: null });
  assert.deepEqual(rest.map(({ since }) => since), [100, 300, 500, 0]);
  assert.deepEqual(rest.map(({ took }) => took), [null, 300, null, 0]);
});

test("stages stand on one line of time, an open one up to the last change", () => {
  const at = (ms) => new Date(1.7e12 + ms).toISOString();
  const stages = {
    ocr: { started_at: at(200), completed_at: at(600) },
    chunk: { started_at: at(600), completed_at: null },
    extract: { started_at: null, completed_at: null },
  };
  const spans = spansOf({ stages, uploaded_at: at(0), updated_at: at(1000), completed_at: null });
  assert.deepEqual(spans, [
    { name: "ocr", left: 20, width: 40, ms: 400, open: false },
    { name: "chunk", left: 60, width: 40, ms: 400, open: true },
  ]);
});

test("every word of the page is there in each language with the same parameters, and none twice", () => {
  const named = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
  for (const [key, [english, german]] of Object.entries(PAGE_TABLE)) {
    assert.deepEqual(named(english), named(german), key);
    assert.ok(!(key in TABLE), key);
  }
});
