import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const WEB = new URL("../../services/gateway/web/", import.meta.url);
const files = readdirSync(WEB, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(fileURLToPath(WEB), join(entry.parentPath, entry.name)));
const read = (name) => readFileSync(new URL(name, WEB), "utf8");
const importsOf = (name) =>
  [...read(name).matchAll(/(?:from|import) "(\.[\w./-]+)"/g)].map(([, path]) => posix.join(posix.dirname(name), path));
const scripts = files.filter((name) => name.endsWith(".js"));

test("the page stays under 100 KB as it travels, compressed file by file", () => {
  const bytes = files.reduce((sum, name) => sum + gzipSync(read(name)).length, 0);
  assert.ok(bytes <= 100 * 1024, `${bytes} bytes`);
});

test("the page keeps to a strict content security policy", () => {
  const html = read("page/index.html");
  assert.doesNotMatch(html, /\s(style|on\w+)=|<style|<script(?![^>]*\ssrc=)/i);
  for (const name of scripts) assert.doesNotMatch(read(name), /\beval\(|new Function|setAttribute\("style"|createElement\("style"/, name);
});

test("nothing is ever interpreted as HTML", () => {
  for (const name of scripts) assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser/, name);
});

test("every file the page and its modules name is there", () => {
  const named = [...read("page/index.html").matchAll(/"web\/([\w./-]+)"/g)].map(([, name]) => name);
  for (const name of scripts) named.push(...importsOf(name));
  for (const name of named) assert.ok(files.includes(name), name);
});

test("the npm package carries every module that its entries import", () => {
  const root = new URL("../../", import.meta.url);
  const { exports, files: packed } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  const waiting = Object.values(exports).map((entry) => entry.default.replace("./services/gateway/web/", ""));
  const needed = new Set();
  for (const name of waiting) {
    if (needed.has(name)) continue;
    needed.add(name);
    waiting.push(...importsOf(name));
  }
  const rooms = packed.filter((name) => name.startsWith("services/")).map((name) => name.replace("services/gateway/web/", ""));
  const carried = scripts.filter((name) => rooms.some((room) => name.startsWith(room)));
  assert.deepEqual([...needed].sort(), carried.sort());
});
