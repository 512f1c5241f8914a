// The chunks: the pieces of the text that search finds, each with its headings and a way to its place on the page.

import { el } from "../../element/dom.js";
import { Gap } from "../gap.js";

const AT_ONCE = 40;

export class ChunksPanel {
  #signature = null;
  #cursor = null; // of what comes after the last one here
  #wanted = null; // the cursor that was asked for last
  #asked = 0; // which answer is waited for; one to an older question is dropped

  constructor({ id, api, say, abort, showPlace }) {
    Object.assign(this, { id, api, say, signal: abort.signal, showPlace });
    this.gap = new Gap(say("chunks.loading"), say, () => this.#load(this.#wanted));
    this.list = el("ol.chunks");
    this.more = el("button.more", { hidden: true, on: { click: () => this.#load(this.#cursor) } }, say("chunks.more"));
    this.element = el("div.panel", {}, this.list, this.gap.element, this.more);
  }

  /** Asks again when the stage that cuts the text has changed. */
  refresh(view) {
    const signature = JSON.stringify([view.status, view.stages?.chunk?.status, view.epoch]);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#load(null);
  }

  async #load(cursor) {
    const asked = (this.#asked += 1);
    this.#wanted = cursor;
    const query = new URLSearchParams({ limit: AT_ONCE, ...(cursor ? { cursor } : {}) });
    const path = `v1/documents/${this.id}/chunks?${query}`;
    this.more.disabled = true;
    const found = await this.api.json(path, { signal: this.signal }).catch((problem) => ({ problem }));
    if (asked !== this.#asked || this.signal.aborted) return;
    this.more.disabled = false;
    if (found.problem) return this.#failed(found.problem);
    this.#cursor = found.next_cursor;
    this.more.hidden = !found.next_cursor;
    if (!cursor) this.list.replaceChildren();
    this.list.append(...found.chunks.map((chunk) => this.#chunk(chunk)));
    this.gap.say(this.list.children.length > 0 ? "" : this.say("chunks.none"));
  }

  #failed(problem) {
    if (problem.status === 409) return this.gap.say(this.say("chunks.pending"));
    this.#signature = null; // the next change asks again
    this.gap.fail(problem);
  }

  #chunk({ index, text, pages, start, end, heading_path: headings }) {
    const [first, last] = pages;
    const places = Array.from({ length: last - first + 1 }, (_, step) => this.#place(first + step, [start, end]));
    const path = headings?.length ? el("p.chunk-path", { dir: "auto" }, headings.join(" › ")) : null;
    const number = el("span.chunk-number", {}, `${index + 1}`);
    const head = el("div.chunk-head", {}, number, path, el("span.places", {}, ...places));
    return el("li.chunk", {}, head, el("p.chunk-text", { dir: "auto" }, text));
  }

  /** A chunk points to its place: the page opens there and its words are lit. */
  #place(page, span) {
    const label = this.say("find.show", { page });
    const on = { click: () => this.showPlace(page, span) };
    return el("button.place", { "aria-label": label, title: label, on }, this.say("page", { page }));
  }
}
