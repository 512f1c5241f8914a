// The live list of all documents: the feed, older pages on request, and the uploads of this page.

import { DocumentRow } from "./document-row.js";
import { arrange, el, setText } from "../element/dom.js";
import { filterOf } from "../element/progress-view.js";

const FILTERS = ["all", "active", "completed", "partial", "failed", "cancelled"];
const SNAPSHOT_ROWS = 200; // what a feed starts with; a full one may have older documents behind it
const WORTH_TELLING = ["completed", "partial", "failed", "refused", "cancelled"];

export class DocumentList {
  #rows = new Map(); // document_id or upload → DocumentRow
  #older = new Map();
  #cursor; // undefined: not asked yet, null: no more
  #feed = null;
  #filter = "all";
  #name = ""; // what names must hold, in lower case
  #frame = null;

  /** `parts`: {list, filters, empty, more, announcer}; `on` as in DocumentRow, with `leave(upload)` for `dismiss`. */
  constructor({ parts, say, api, on }) {
    Object.assign(this, { parts, say, api, on });
    this.chips = new Map(FILTERS.map((name) => [name, this.#chip(name)]));
    parts.filters.replaceChildren(...this.chips.values());
    parts.more.onclick = () => this.#loadOlder();
    this.#draw();
  }

  /** The state of the feed subscription. */
  showFeed(state) {
    for (const id of [...state.gone, ...state.documents.keys()]) this.#older.delete(id);
    this.#feed = state.status === "live" ? state : this.#feed;
    this.#schedule();
  }

  /** Shows only documents whose name holds `text`. */
  findNames(text) {
    this.#name = text.toLowerCase();
    this.#schedule();
  }

  /** An upload that started or changed. */
  showUpload(upload) {
    const row = this.#rows.get(upload) ?? this.#newRow(upload);
    const was = row.kind;
    row.showUpload(upload);
    this.#tell(row, was);
    this.#schedule();
  }

  /** The upload has become a document: its row goes on as the row of that document. */
  adopt(upload, answer) {
    const id = answer.document_id;
    const row = this.#rows.get(upload);
    this.#rows.delete(upload);
    if (row && !this.#rows.has(id)) this.#rows.set(id, row);
    if (answer.duplicate) (this.#rows.get(id) ?? row)?.markDuplicate(upload);
    if (!this.#feed?.documents.has(id)) this.#fetchRow(id);
    this.#schedule();
  }

  /** A document outside the feed's rows, such as an old one that was uploaded again. */
  async #fetchRow(id) {
    const view = await this.api.json(`v1/documents/${id}`).catch(() => null); // the feed brings it, only later
    if (view) this.#older.set(id, view);
    this.#schedule();
  }

  #newRow(key) {
    const dismiss = (row) => {
      if (row.view) row.clearNote();
      else this.on.leave(row.upload);
      this.#rows.delete(row.upload);
      this.#schedule();
    };
    const row = new DocumentRow({ say: this.say, on: { ...this.on, dismiss } });
    this.#rows.set(key, row);
    return row;
  }

  #chip(name) {
    const choose = () => {
      this.#filter = name;
      this.#schedule();
    };
    return el("button.chip", { on: { click: choose } });
  }

  #schedule() {
    if (this.#frame !== null) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  #documents() {
    const documents = new Map([...this.#older, ...(this.#feed?.documents ?? [])]);
    return [...documents.values()].sort((a, b) => (a.uploaded_at < b.uploaded_at ? 1 : -1));
  }

  #draw() {
    const documents = this.#documents();
    const known = new Set(documents.map((view) => view.document_id));
    for (const [key, row] of this.#rows) if (row.view && !known.has(key)) this.#rows.delete(key);
    const ofDocuments = documents.map((view) => this.#drawDocument(view));
    const ofUploads = [...this.#rows.values()].filter((row) => row.view === null).reverse();
    const isFresh = (row) => row.view === null || row.isNoted; // of this page, a moment ago: first, in any filter
    const rows = [...ofUploads, ...ofDocuments].sort((a, b) => isFresh(b) - isFresh(a));
    const isWanted = (row) => this.#filter === "all" || filterOf(row.kind) === this.#filter;
    const named = rows.filter((row) => this.#name === "" || row.link.textContent.toLowerCase().includes(this.#name));
    const shown = named.filter((row) => isFresh(row) || isWanted(row));
    arrange(this.parts.list, shown.map((row) => row.element));
    this.#drawChips(named);
    this.parts.empty.hidden = shown.length > 0;
    setText(this.parts.empty, this.#whyEmpty(rows, named));
    this.parts.more.hidden = documents.length < SNAPSHOT_ROWS || this.#cursor === null;
  }

  #whyEmpty(rows, named) {
    if (this.#feed === null) return this.say("list.loading");
    if (rows.length > 0 && named.length === 0) return this.say("list.unnamed", { text: this.#name });
    return this.say(rows.length > 0 ? "list.none" : "list.empty");
  }

  #drawDocument(view) {
    const known = this.#rows.get(view.document_id);
    const row = known ?? this.#newRow(view.document_id);
    const was = row.kind;
    row.showDocument(view);
    if (known) this.#tell(row, was);
    return row;
  }

  #tell(row, was) {
    if (row.kind === was || !WORTH_TELLING.includes(row.kind)) return;
    setText(this.parts.announcer, `${row.link.textContent}: ${this.say(`kind.${row.kind}`)}`);
  }

  #drawChips(rows) {
    for (const [name, chip] of this.chips) {
      const count = rows.filter((row) => name === "all" || (row.view && filterOf(row.kind) === name)).length;
      setText(chip, `${this.say(this.say.has(`filter.${name}`) ? `filter.${name}` : `kind.${name}`)} ${count}`);
      chip.setAttribute("aria-pressed", String(this.#filter === name));
      chip.hidden = count === 0 && name !== "all" && name !== this.#filter;
    }
  }

  async #loadOlder() {
    const { more } = this.parts;
    more.disabled = true;
    const query = new URLSearchParams({ limit: SNAPSHOT_ROWS, ...(this.#cursor ? { cursor: this.#cursor } : {}) });
    const page = await this.api.json(`v1/documents?${query}`).catch((problem) => this.on.problem(problem));
    more.disabled = false;
    if (!page) return;
    const isFirst = this.#cursor === undefined; // the same rows as the feed's: go on to the next page
    this.#cursor = page.next_cursor;
    for (const view of page.documents) this.#older.set(view.document_id, view);
    if (isFirst && this.#cursor) return this.#loadOlder();
    this.#schedule();
  }
}
