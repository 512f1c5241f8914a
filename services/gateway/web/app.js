// The page at /: wiring of upload, list, document view, key form and connection sign. No logic of its own.

import { Api } from "./api.js";
import { PagestreamClient } from "./client.js";
import { DocumentList } from "./document-list.js";
import { DocumentPage } from "./document-page.js";
import { el, setText } from "./dom.js";
import { Uploads, collectFiles } from "./uploads.js";
import { chooseLocale, wordsOf } from "./words.js";

const BASE = new URL(".", document.baseURI).href.split("#")[0];
const KEY = "pagestream.key";
const NOTICE_MS = 10_000;

const say = wordsOf(chooseLocale(navigator.languages));
const parts = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const api = new Api({ base: BASE, token: sessionStorage.getItem(KEY), say });
const uploads = new Uploads({
  api,
  onChange: (upload) => list.showUpload(upload),
  onAccepted: (upload, answer) => list.adopt(upload, answer),
});
const on = {
  delete: remove,
  again: (upload, options) => uploads.again(upload, options),
  leave: (upload) => uploads.cancel(upload),
  problem: showProblem,
};
const list = new DocumentList({ parts, say, api, on });
let client = null;
let page = null;

function start() {
  client?.close();
  client = new PagestreamClient({ base: BASE, token: api.token });
  client.addEventListener("connection", showConnection);
  client.subscribe({ feed: "documents" }, (state) => list.showFeed(state));
  route();
}

function route() {
  page?.close();
  page = null;
  const id = location.hash.match(/^#\/documents\/([\w-]+)/)?.[1];
  parts.home.hidden = id !== undefined;
  parts.detail.hidden = id === undefined;
  if (id === undefined) return parts.detail.replaceChildren();
  page = new DocumentPage({ id, api, client, say, on });
  parts.detail.replaceChildren(page.element);
  page.title.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function showConnection() {
  const { connection, problem } = client;
  const isFirst = connection === "offline" && parts.connection.dataset.kind === undefined;
  setText(parts.connection, say(isFirst ? "connection.first" : `connection.${connection}`));
  parts.connection.dataset.kind = connection;
  if (problem === "sign_in") askForKey();
  if (problem === "forbidden") showNotice(say("problem.forbidden"), "");
}

function askForKey() {
  parts.keyform.hidden = false;
  parts.workspace.hidden = true;
  setText(parts.keyproblem, api.token ? say("key.wrong") : "");
  parts.key.focus();
}

function useKey(event) {
  event.preventDefault();
  api.token = parts.key.value.trim();
  sessionStorage.setItem(KEY, api.token);
  parts.key.value = "";
  parts.keyform.hidden = true;
  parts.workspace.hidden = false;
  start();
}

function showProblem(problem) {
  if (problem.name === "AbortError") return;
  if (problem.status === 401) return askForKey();
  showNotice(problem.message, problem.action ?? "");
}

function showNotice(message, action) {
  const dismiss = el("button", { on: { click: () => notice.remove() } }, say("dismiss"));
  const texts = [el("p", { dir: "auto" }, message), el("p.hint", { dir: "auto" }, action)];
  const notice = el("div.notice", {}, ...texts, dismiss);
  parts.notices.append(notice);
  setTimeout(() => notice.remove(), NOTICE_MS);
}

async function remove(view) {
  if (!confirm(say("delete.ask", { name: view.filename || say("untitled") }))) return;
  await api.delete(view.document_id).catch(showProblem); // the row goes when the feed says so
}

function onDocumentAction(event) {
  event.preventDefault();
  const { action, documentId } = event.detail;
  api[action](documentId).catch(showProblem);
}

document.documentElement.lang = say.locale;
for (const element of document.querySelectorAll("[data-word]")) setText(element, say(element.dataset.word));
collectFiles({ zone: parts.drop, input: parts.files, button: parts.choose }, (files) => uploads.add(files));
parts.keyform.addEventListener("submit", useKey);
document.addEventListener("document-action", onDocumentAction);
addEventListener("hashchange", route);
start();
