// The pages in small: each lights up as it is read. Images are fetched when they come into view, a few at a time.

import { el, setAttribute } from "../../element/dom.js";

const WIDTH = 200;
const AT_ONCE = 3;

export class PageStrip {
  #thumbs = new Map(); // by page: button, the place of its image, whether that was asked for
  #queue = [];
  #loading = 0;
  #urls = [];
  #eye;

  /** `onOpen(page)` is called when a person chooses a page. */
  constructor({ id, api, say, abort }, onOpen) {
    Object.assign(this, { id, api, say, signal: abort.signal, onOpen });
    const on = { keydown: (event) => this.#onKey(event) };
    this.element = el("div.page-strip", { role: "group", "aria-label": say("view.pages"), hidden: true, on });
    this.#eye = new IntersectionObserver((entries) => this.#seen(entries), { root: this.element, rootMargin: "200px" });
  }

  close() {
    this.#eye.disconnect();
    for (const url of this.#urls) URL.revokeObjectURL(url);
  }

  /** `pages` as the gateway lists them; `withImages`: whether these pages look like something. */
  show(pages, withImages) {
    this.element.hidden = pages.length < 2;
    this.element.classList.toggle("plain", !withImages);
    const wanted = new Set(pages.map(({ page }) => page));
    for (const [page, { button }] of this.#thumbs) if (!wanted.has(page)) this.#remove(page, button);
    for (const { page, status } of pages) {
      const { button } = this.#thumbs.get(page) ?? this.#add(page, withImages);
      setAttribute(button, "data-status", status);
      setAttribute(button, "aria-label", `${this.say("page.title", { page })}, ${this.say(`status.${status}`)}`);
    }
  }

  choose(page) {
    for (const [other, { button }] of this.#thumbs) {
      setAttribute(button, "aria-current", other === page && "page");
      button.tabIndex = other === page ? 0 : -1; // one stop for the Tab key, however many pages there are
    }
    const chosen = this.#thumbs.get(page)?.button;
    if (!chosen) return;
    const { offsetLeft, offsetWidth } = chosen;
    this.element.scrollTo({ left: offsetLeft - (this.element.clientWidth - offsetWidth) / 2 });
  }

  #add(page, withImages) {
    const place = el("span.thumb-sheet");
    const on = { click: () => this.onOpen(page) };
    const button = el("button.thumb", { on, "data-page": page, tabindex: -1 }, place, el("span.thumb-number", {}, `${page}`));
    const thumb = { button, place };
    this.#thumbs.set(page, thumb);
    this.element.append(button);
    if (withImages) this.#eye.observe(button);
    return thumb;
  }

  #remove(page, button) {
    this.#thumbs.delete(page);
    button.remove();
  }

  #onKey({ key, target }) {
    const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[key];
    const next = step && target[step];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.click();
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.#eye.unobserve(target);
      this.#queue.push(Number(target.dataset.page));
    }
    while (this.#loading < AT_ONCE && this.#queue.length > 0) this.#load(this.#queue.shift());
  }

  async #load(page) {
    this.#loading += 1;
    const path = `v1/documents/${this.id}/pages/${page}/image?width=${WIDTH}`;
    const url = await this.api.objectUrl(path, { signal: this.signal }).catch(() => null);
    this.#loading -= 1;
    if (url) this.#urls.push(url);
    if (this.signal.aborted) return this.close();
    if (url) this.#thumbs.get(page)?.place.replaceChildren(el("img", { src: url, alt: "" }));
    this.#seen([]);
  }
}
