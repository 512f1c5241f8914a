// The pages: in small as they are read, the chosen one as an image with its words, and its text beside it.

import { el, paced, setText } from "../../element/dom.js";
import { formatPercent } from "../../element/format.js";
import { Gap } from "../gap.js";
import { PageSheet } from "./page-sheet.js";
import { PageStrip } from "./page-strip.js";
import { hasImages, isUnsure, placesOf, wordsIn } from "./page-words.js";
import { unitsAt } from "./passages.js";

const REFRESH_MS = 500;

export class TextPanel {
  #pages = [];
  #chosen = null;
  #shown = null; // "page/status" of what is on display
  #signature = null;
  #withImages = false;
  #content = null; // the JSON of the page on display, null while it is not there
  #span = null; // what to light, [start, end) in the whole text
  #starts = null; // where each page begins in the whole text, by page

  constructor(parts) {
    const { id, api, say, abort } = parts;
    Object.assign(this, { id, api, say, signal: abort.signal });
    this.load = paced(REFRESH_MS, abort.signal, () => this.#load().catch((problem) => this.#failed(problem)));
    this.strip = new PageStrip(parts, (page) => this.open(page));
    this.sheet = new PageSheet(parts);
    this.heading = el("h2.page-title");
    this.source = el("p.page-source");
    this.text = el("div.page-text", { dir: "auto" });
    this.unsure = el("p.hint.page-unsure", { hidden: true }, say("view.unsure"));
    this.previous = this.#step(-1, "view.previous", "‹");
    this.next = this.#step(1, "view.next", "›");
    this.gap = new Gap(say("view.pages.loading"), say, this.load);
    const head = el("div.page-head", {}, this.previous, el("div", {}, this.heading, this.source), this.next);
    const pair = el("div.page-body", {}, el("div", {}, this.sheet.element, this.unsure), this.text);
    this.reader = el("div.reader", { hidden: true }, head, pair);
    this.element = el("div.panel", {}, this.gap.element, this.strip.element, this.reader);
  }

  close() {
    this.strip.close();
    this.sheet.close();
  }

  /** Reads the list of pages again when the document's page counts have changed. */
  refresh(view) {
    this.#withImages = hasImages(view.content_type ?? "");
    const signature = JSON.stringify([view.pages, view.status, view.stages?.ocr?.percent, view.epoch]);
    if (signature !== this.#signature) this.load();
    this.#signature = signature;
  }

  /** Turns to a page; `span` is what to light there, [start, end) in characters of the text of the whole document. */
  open(page, span = null) {
    this.#chosen = page;
    this.#span = span;
    const isShown = this.#shown?.startsWith(`${page}/`);
    this.#drawPage()
      .then(() => isShown && this.#light())
      .catch(() => {}); // the page was left while it loaded
  }

  async #load() {
    const { pages } = await this.api.json(`v1/documents/${this.id}/pages`, { signal: this.signal });
    this.#pages = pages;
    this.gap.say(pages.length > 0 ? "" : this.say("view.pages.none"));
    this.strip.show(pages, this.#withImages);
    this.#chosen ??= pages[0]?.page ?? null;
    await this.#drawPage();
  }

  #failed(problem) {
    this.#signature = null; // the next change asks again
    if (problem.name !== "AbortError") this.gap.fail(problem);
  }

  async #drawPage() {
    const page = this.#chosen;
    const entry = this.#pages.find((other) => other.page === page);
    this.reader.hidden = entry === undefined;
    if (entry === undefined || this.#shown === `${page}/${entry.status}`) return;
    this.#shown = `${page}/${entry.status}`;
    this.strip.choose(page);
    setText(this.heading, this.say("page.title", { page }));
    this.previous.disabled = page === this.#pages[0].page;
    this.next.disabled = page === this.#pages.at(-1).page;
    const image = this.#withImages ? this.sheet.open(page) : null;
    await Promise.all([this.#drawText(entry), image]);
    if (page === this.#chosen) await this.#light();
  }

  async #drawText({ page, status }) {
    if (status !== "done") return this.#note(status === "failed" ? "view.page.failed" : "view.page.pending");
    const path = `v1/documents/${this.id}/pages/${page}`;
    const content = await this.api.json(path, { signal: this.signal }).catch((problem) => ({ problem }));
    if (page !== this.#chosen || this.signal.aborted) return;
    if (content.problem) return this.#lacks(page, content.problem);
    if (content.text.trim() === "") this.#note("view.page.empty");
    else this.text.replaceChildren(content.text);
    this.#take(content);
    const isMeasured = content.source === "ocr" && content.confidence > 0;
    const sure = isMeasured ? [this.say("confidence", { percent: percentOf(content.confidence, this.say) })] : [];
    setText(this.source, [this.say(`source.${content.source}`), ...sure].join(", "));
  }

  #note(word) {
    this.#without(el("p.hint", {}, this.say(word)));
  }

  #lacks(page, problem) {
    this.#shown = null; // so that it is asked for again whenever the page is turned to
    const gap = new Gap("", this.say, () => this.open(page, this.#span));
    gap.fail(problem);
    this.#without(gap.element);
  }

  /** Shows `why` in place of a text. */
  #without(why) {
    setText(this.source, "");
    this.#take(null);
    this.text.replaceChildren(why);
  }

  #take(content) {
    this.#content = content;
    this.sheet.draw(content);
    this.unsure.hidden = !this.#withImages || !content?.words.some(isUnsure);
  }

  /** Lights what is looked for in the text of the page and on its image. */
  async #light() {
    const [content, span] = [this.#content, this.#span];
    if (content === null || content.text.trim() === "") return;
    const start = span && (await this.#startOf(content.page));
    if (content !== this.#content || span !== this.#span) return;
    const { text } = content;
    const [from, to] = span ? span.map((offset) => unitsAt(text, offset - start)) : [0, 0];
    const found = to > from ? el("mark", {}, text.slice(from, to)) : "";
    this.text.replaceChildren(text.slice(0, from), found, text.slice(to));
    this.sheet.light(span ? wordsIn(placesOf(text, content.words), [from, to]) : []);
    if (this.sheet.element.hidden && found) found.scrollIntoView({ block: "center" });
  }

  async #startOf(page) {
    if (!this.#starts?.has(page)) {
      const { pages } = await this.api.json(`v1/documents/${this.id}/text`, { signal: this.signal });
      this.#starts = new Map(pages.map((one) => [one.page, one.start]));
    }
    return this.#starts.get(page);
  }

  #step(by, word, sign) {
    const go = () => {
      const index = this.#pages.findIndex(({ page }) => page === this.#chosen);
      this.open(this.#pages[index + by].page);
    };
    return el("button", { "aria-label": this.say(word), on: { click: go } }, sign);
  }
}

/** Confidences are 0 to 1, or 0 to 100 from some engines. */
export function percentOf(confidence, say) {
  return formatPercent(confidence <= 1 ? confidence * 100 : confidence, say.locale);
}
