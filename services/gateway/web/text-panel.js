// The recognised text, page by page, beside the image of the page; pages light up as they are done.

import { el, paced, setAttribute, setText } from "./dom.js";
import { formatPercent } from "./format.js";

const IMAGE_WIDTH = 900;
const REFRESH_MS = 1_000;

export class TextPanel {
  #pages = [];
  #chosen = null;
  #shown = null; // "page/status" of what is on display
  #signature = null;
  #imageUrl = null;

  constructor({ id, api, say, abort }) {
    Object.assign(this, { id, api, say, signal: abort.signal });
    this.load = paced(REFRESH_MS, abort.signal, () => this.#load().catch(() => (this.#signature = null)));
    this.strip = el("div.page-strip", { role: "group", "aria-label": say("view.text") });
    this.heading = el("h2.page-title");
    this.source = el("p.page-source");
    this.text = el("div.page-text", { dir: "auto" });
    this.image = el("img.page-image", { hidden: true });
    this.previous = this.#step(-1, "view.previous", "‹");
    this.next = this.#step(1, "view.next", "›");
    this.hint = el("p.hint", {}, say("view.pages.none"));
    const head = el("div.page-head", {}, this.previous, el("div", {}, this.heading, this.source), this.next);
    this.reader = el("div.reader", { hidden: true }, head, el("div.page-body", {}, this.text, this.image));
    this.element = el("div.panel", {}, this.hint, this.strip, this.reader);
  }

  close() {
    if (this.#imageUrl) URL.revokeObjectURL(this.#imageUrl);
  }

  /** Reads the list of pages again when the document's page counts have changed. */
  refresh(view) {
    const signature = JSON.stringify([view.pages, view.status, view.epoch]);
    if (signature !== this.#signature) this.load();
    this.#signature = signature;
  }

  async #load() {
    const { pages } = await this.api.json(`v1/documents/${this.id}/pages`, { signal: this.signal });
    this.#pages = pages;
    this.#drawStrip();
    const first = pages.find(({ status }) => status === "done") ?? pages.find(({ status }) => status === "failed");
    if (this.#chosen === null && first) this.#chosen = first.page;
    await this.#drawPage();
  }

  #drawStrip() {
    this.hint.hidden = this.#pages.length > 0;
    this.strip.hidden = this.#pages.length < 2;
    while (this.strip.children.length > this.#pages.length) this.strip.lastChild.remove();
    this.#pages.forEach(({ page, status }, index) => {
      const on = { click: () => this.open(page) };
      const chip = this.strip.children[index] ?? el("button.page-chip", { on }, `${page}`);
      if (!chip.parentNode) this.strip.append(chip);
      setAttribute(chip, "data-status", status);
      setAttribute(chip, "aria-label", `${this.say("page.title", { page })}, ${this.say(`status.${status}`)}`);
    });
  }

  async #drawPage() {
    const page = this.#chosen;
    const entry = this.#pages.find((other) => other.page === page);
    this.reader.hidden = entry === undefined;
    if (entry === undefined || this.#shown === `${page}/${entry.status}`) return;
    this.#shown = `${page}/${entry.status}`;
    for (const [index, chip] of [...this.strip.children].entries()) {
      setAttribute(chip, "aria-current", this.#pages[index].page === page && "page");
    }
    setText(this.heading, this.say("page.title", { page }));
    this.previous.disabled = page === this.#pages[0].page;
    this.next.disabled = page === this.#pages.at(-1).page;
    await Promise.all([this.#drawText(entry), this.#drawImage(page)]);
  }

  async #drawText({ page, status }) {
    if (status !== "done") return this.#note(status === "failed" ? "view.page.failed" : "view.page.pending");
    const path = `v1/documents/${this.id}/pages/${page}`;
    const content = await this.api.json(path, { signal: this.signal }).catch((problem) => ({ problem }));
    if (page !== this.#chosen || this.signal.aborted) return;
    if (content.problem) return this.#note("view.page.pending", content.problem.message);
    if (content.text.trim() === "") this.#note("view.page.empty");
    else this.text.replaceChildren(content.text);
    const isMeasured = content.source === "ocr" && content.confidence > 0;
    const sure = isMeasured ? [this.say("confidence", { percent: percentOf(content.confidence, this.say) })] : [];
    setText(this.source, [this.say(`source.${content.source}`), ...sure].join(", "));
  }

  #note(word, detail) {
    setText(this.source, "");
    this.text.replaceChildren(el("p.hint", {}, detail ?? this.say(word)));
  }

  /** An <img> cannot carry an API key, so the image is fetched; a page without one shows its text alone. */
  async #drawImage(page) {
    this.image.hidden = true;
    const path = `v1/documents/${this.id}/pages/${page}/image?width=${IMAGE_WIDTH}`;
    const url = await this.api.objectUrl(path, { signal: this.signal }).catch(() => null);
    if (url === null) return;
    if (page !== this.#chosen || this.signal.aborted) return URL.revokeObjectURL(url);
    if (this.#imageUrl) URL.revokeObjectURL(this.#imageUrl);
    this.#imageUrl = url;
    Object.assign(this.image, { src: url, alt: this.say("view.image", { page }), hidden: false });
  }

  #step(by, word, sign) {
    const go = () => {
      const index = this.#pages.findIndex(({ page }) => page === this.#chosen);
      this.open(this.#pages[index + by].page);
    };
    return el("button", { "aria-label": this.say(word), on: { click: go } }, sign);
  }

  open(page) {
    this.#chosen = page;
    this.#drawPage().catch(() => {}); // the page was left while it loaded
  }
}

/** Confidences are 0 to 1, or 0 to 100 from some engines. */
export function percentOf(confidence, say) {
  return formatPercent(confidence <= 1 ? confidence * 100 : confidence, say.locale);
}
