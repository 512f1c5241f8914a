// Search beside the list: names at once, texts by words and by meaning a moment after the last key.

import { el } from "../element/dom.js";
import { Gap } from "./gap.js";
import { passageOf } from "./document/passages.js";
import { documentHash } from "./routes.js";

const PAUSE_MS = 300;
const AT_ONCE = 10;

export class SearchBox {
  #text = "";
  #timer = null;
  #abort = new AbortController();
  #cursor = null; // of what comes after the last hit here
  #wanted = null; // the cursor that was asked for last

  /** `parts`: {search, hits}; `onNames(text)` filters the list by name, "" for all. */
  constructor({ parts, say, api, onNames }) {
    Object.assign(this, { say, api, onNames });
    this.input = parts.search;
    this.section = parts.hits;
    this.input.placeholder = say("search.placeholder");
    this.input.setAttribute("aria-label", say("search.placeholder"));
    this.input.addEventListener("input", () => this.#typed());
    this.heading = el("h2", {}, say("search.title"));
    this.gap = new Gap("", say, () => this.#load(this.#wanted));
    this.list = el("ol.hit-list");
    this.more = el("button.more", { hidden: true, on: { click: () => this.#load(this.#cursor) } }, say("search.more"));
    this.section.replaceChildren(this.heading, this.list, this.gap.element, this.more);
  }

  #typed() {
    const text = this.input.value.trim();
    if (text === this.#text) return;
    this.#text = text;
    this.onNames(text);
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.section.hidden = text === "";
    this.list.replaceChildren();
    this.more.hidden = true;
    this.gap.say(this.say("search.loading"));
    if (text) this.#timer = setTimeout(() => this.#load(null), PAUSE_MS);
  }

  async #load(cursor) {
    this.#abort.abort(); // asked again before there was an answer
    this.#abort = new AbortController();
    this.#wanted = cursor;
    const { signal } = this.#abort;
    const query = new URLSearchParams({ q: this.#text, limit: AT_ONCE, ...(cursor ? { cursor } : {}) });
    this.more.disabled = true;
    const found = await this.api.json(`v1/search?${query}`, { signal }).catch((problem) => ({ problem }));
    if (signal.aborted) return;
    this.more.disabled = false;
    if (found.problem) return this.gap.fail(found.problem);
    this.#cursor = found.next_cursor;
    this.more.hidden = !found.next_cursor;
    this.list.append(...found.results.map((hit) => this.#hit(hit)));
    const none = this.list.children.length > 0 ? "" : this.say("search.none", { text: this.#text });
    this.gap.say(found.complete === false ? `${none} ${this.say("search.indexing")}`.trim() : none);
  }

  #hit({ document_id: id, filename, pages, start, end, text, highlights }) {
    const { say } = this;
    const [page, last] = pages;
    const where = say(page === last ? "page" : "search.pages", { page, last });
    const why = say(highlights.length > 0 ? "search.words" : "search.meaning");
    const name = el("span.hit-name", { dir: "auto" }, filename || say("untitled"));
    const head = el("span.hit-head", {}, name, el("span.row-meta", {}, `${where} · ${why}`));
    const parts = passageOf(text, highlights).map((part) => (part.found ? el("mark", {}, part.text) : part.text));
    const href = documentHash(id, { page, span: [start, end] });
    return el("li", {}, el("a.hit", { href }, head, el("span.hit-text", { dir: "auto" }, ...parts)));
  }
}
