// The page at /: wiring of upload, list, search, views, key form and connection sign. No logic of its own.

import { Api } from "../client/api.js";
import { PagestreamClient } from "../client/client.js";
import { DocumentList } from "./document-list.js";
import { DocumentPage } from "./document/document-page.js";
import { el, setText } from "../element/dom.js";
import { formatTime } from "../element/format.js";
import { PAGE_TABLE } from "./page-table.js";
import { parseRoute } from "./routes.js";
import { SearchBox } from "./search-box.js";
import { SystemPage } from "./system-page.js";
import { Uploads, collectFiles } from "./uploads.js";
import { TABLE, chooseLocale, wordsOf } from "../element/words.js";

const BASE = new URL(".", document.baseURI).href.split("#")[0];
const KEY = "pagestream.key";
const NOTICE_MS = 10_000;

const say = wordsOf(chooseLocale(navigator.languages), { ...TABLE, ...PAGE_TABLE });
const parts = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const api = new Api({ base: BASE, say });
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
new SearchBox({ parts, say, api, onNames: (text) => list.findNames(text) });
let client = null;
let page = null;
let isGuest = false; // whoever came by a shared link

/** Signs in with a key (or nothing), or with the token of a shared link, which opens its document only. */
function signIn(token) {
  client?.close();
  isGuest = token !== null;
  api.token = token ?? sessionStorage.getItem(KEY);
  client = new PagestreamClient({ base: BASE, token: api.token });
  client.addEventListener("connection", showConnection);
  document.body.dataset.right = isGuest ? "read" : "all"; // until the server has said what the token allows
  parts.over.hidden = parts.guest.hidden = parts.keyform.hidden = true;
  parts.workspace.hidden = false;
  if (isGuest) askRight().catch(showProblem);
  else client.subscribe({ feed: "documents" }, (state) => list.showFeed(state));
}

async function askRight() {
  const { token } = api;
  const { right, expires_at: ends } = await api.json("v1/tokens/current");
  if (token !== api.token) return;
  document.body.dataset.right = right;
  setText(parts.guest, ends ? say(`guest.${right}`, { time: formatTime(ends, Date.now(), say.locale) }) : "");
  parts.guest.hidden = ends === null;
}

function route() {
  page?.close();
  const place = parseRoute(location.hash);
  if (client === null || isGuest || place.token) signIn(place.token);
  page = pageOf(place);
  parts.home.hidden = page !== null;
  parts.detail.hidden = page === null;
  parts.detail.replaceChildren(...(page ? [page.element] : []));
  if (page === null) return;
  page.title.focus({ preventScroll: true });
  scrollTo(0, 0);
  if (place.page) page.showPlace?.(place.page, place.span);
}

function pageOf({ name, id }) {
  if (name === "document") return new DocumentPage({ id, api, client, say, on });
  return name === "system" ? new SystemPage({ api, say, on }) : null;
}

function showConnection() {
  const { connection, problem } = client;
  const isFirst = connection === "offline" && !problem && parts.connection.dataset.kind === undefined;
  setText(parts.connection, say(isFirst ? "connection.first" : `connection.${connection}`));
  parts.connection.dataset.kind = connection;
  if (problem === "sign_in") askForKey();
  if (problem === "forbidden") showNotice(say("problem.forbidden"), "");
}

function askForKey() {
  parts.workspace.hidden = true;
  parts.over.hidden = !isGuest;
  parts.keyform.hidden = isGuest;
  setText(parts.keyproblem, api.token ? say("key.wrong") : "");
  parts.key.focus();
}

function useKey(event) {
  event.preventDefault();
  sessionStorage.setItem(KEY, parts.key.value.trim());
  parts.key.value = "";
  signIn(null);
  route();
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
const take = (files) => !isGuest && uploads.add(files);
collectFiles({ zone: parts.drop, input: parts.files, button: parts.choose }, take);
parts.keyform.addEventListener("submit", useKey);
document.addEventListener("document-action", onDocumentAction);
addEventListener("hashchange", route);
route();
