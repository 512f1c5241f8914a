// The image of a page with its words over it: they can be selected, doubtful ones are marked, found ones lit.

import { el } from "../../element/dom.js";
import { formatPercent } from "../../element/format.js";
import { isUnsure, joined, layout } from "./page-words.js";

const WIDTH = 1000;
const MANY = 20; // words that are lit at once: then they get no frames of their own

export class PageSheet {
  #page = null;
  #url = null;
  #words = [];

  constructor({ id, api, say, abort }) {
    Object.assign(this, { id, api, say, signal: abort.signal });
    this.image = el("img.page-image");
    this.words = el("div.page-words", { "aria-hidden": "true", on: { copy: (event) => this.#copy(event) } });
    this.element = el("div.page-sheet", { hidden: true }, this.image, this.words);
  }

  close() {
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  /** Shows the image of a page, without words yet. An <img> cannot carry an API key, so the image is fetched. */
  async open(page) {
    if (page === this.#page) return;
    this.#page = page;
    this.draw(null);
    this.element.toggleAttribute("data-loading", true);
    const path = `v1/documents/${this.id}/pages/${page}/image?width=${WIDTH}`;
    const url = await this.api.objectUrl(path, { signal: this.signal }).catch(() => null);
    if (page !== this.#page || this.signal.aborted) return url && URL.revokeObjectURL(url);
    this.close();
    this.#url = url;
    this.element.hidden = url === null;
    this.element.toggleAttribute("data-loading", false);
    if (url === null) this.#page = null; // it may be there the next time
    else Object.assign(this.image, { src: url, alt: this.say("view.image", { page }) });
  }

  /** Lays the words of a page (its JSON, or null for none) over the image. */
  draw(content) {
    this.#words = content?.width ? content.words : [];
    this.words.replaceChildren(...this.#words.map((word) => this.#word(word, content)));
  }

  /** Lights the words of these indices and brings the first into view. */
  light(indices) {
    for (const word of this.words.querySelectorAll(".found")) word.classList.remove("found");
    const found = indices.map((index) => this.words.children[index]);
    for (const word of found) word.classList.add("found");
    this.words.classList.toggle("many", found.length > MANY);
    found[0]?.scrollIntoView({ block: "center", inline: "nearest" });
  }

  #word(word, content) {
    const unsure = isUnsure(word);
    const percent = unsure && formatPercent(word.confidence, this.say.locale);
    const title = unsure && `${word.text}: ${this.say("confidence", { percent })}`;
    const element = el(unsure ? "span.unsure" : "span", { title }, word.text);
    const { left, top, width, height, letters } = layout(word.box, content);
    const { style } = element;
    [style.left, style.top, style.width, style.height] = [left, top, width, height].map((share) => `${share}%`);
    style.fontSize = `${letters}cqw`; // of the width of the page, as wide as it is shown
    return element;
  }

  #copy(event) {
    const selection = getSelection();
    const chosen = this.#words.filter((_, index) => selection.containsNode(this.words.children[index], true));
    event.clipboardData.setData("text/plain", joined(chosen));
    event.preventDefault();
  }
}
