// What happened to the document: one line per fact, newest last, kept up to date while it is looked at.

import { el, paced } from "./dom.js";
import { whereOf } from "./progress-view.js";

const REFRESH_MS = 1_500;

export class TimelinePanel {
  #facts = null;

  constructor({ id, api, say, abort }) {
    Object.assign(this, { id, api, say, signal: abort.signal });
    this.load = paced(REFRESH_MS, abort.signal, () => this.#load().catch(() => (this.#facts = null)));
    this.list = el("ol.timeline");
    this.element = el("div.panel", {}, this.list);
  }

  /** Reads the rows again when there are new facts (not for ticks). */
  refresh(view) {
    const facts = `${view.epoch}:${Math.floor(view.version / 1e6)}`;
    if (facts !== this.#facts) this.load();
    this.#facts = facts;
  }

  async #load() {
    const { events } = await this.api.json(`v1/documents/${this.id}/timeline`, { signal: this.signal });
    this.list.replaceChildren(...events.map((row) => this.#row(row)));
  }

  #row({ at, type, stage, attempt, page, summary }) {
    const { say } = this;
    const time = new Date(at).toLocaleTimeString(say.locale);
    const where = whereOf({ stage, page, attempt }, say);
    return el(
      "li",
      { "data-type": type },
      el("time", { datetime: at, title: at }, time),
      el("span", { dir: "auto" }, summary || type),
      el("span.where", {}, where),
    );
  }
}
