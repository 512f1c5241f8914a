// What was found in the document: type, title, summary, keywords, and the fields with their page and confidence.

import { el } from "../../element/dom.js";
import { Gap } from "../gap.js";
import { percentOf } from "./text-panel.js";

const COLUMNS = ["field", "value", "page", "confidence"];

export class FindingsPanel {
  #signature = null;
  #asked = 0; // which answer is waited for; one to an older question is dropped

  constructor({ id, api, say, abort, showPlace }) {
    Object.assign(this, { id, api, say, signal: abort.signal, showPlace });
    this.gap = new Gap(say("view.findings.loading"), say, () => this.#load());
    this.content = el("div");
    this.element = el("div.panel", {}, this.gap.element, this.content);
  }

  /** Asks again when the state of the document or of the stage that finds things has changed. */
  refresh(view) {
    const signature = JSON.stringify([view.status, view.stages?.extract?.status, view.epoch]);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#load();
  }

  async #load() {
    const asked = (this.#asked += 1);
    const path = `v1/documents/${this.id}/extraction`;
    const found = await this.api.json(path, { signal: this.signal }).catch((problem) => ({ problem }));
    if (asked !== this.#asked || this.signal.aborted) return;
    if (found.problem) return this.#failed(found.problem);
    const { findings = [], warnings = [] } = found;
    this.gap.say("");
    this.content.replaceChildren(...this.#head(found), this.#table(findings), ...this.#warnings(warnings));
  }

  #failed(problem) {
    this.content.replaceChildren();
    if (problem.status === 409) return this.gap.say(this.say("view.findings.pending"));
    this.#signature = null; // the next change asks again
    this.gap.fail(problem);
  }

  #head({ document_type: type, language, title, summary, keywords }) {
    return [
      el("p", {}, ...[type, language].filter(Boolean).map((tag) => el("span.tag", {}, tag))),
      title ? el("h2", { dir: "auto" }, title) : null,
      summary ? el("p", { dir: "auto" }, summary) : null,
      keywords?.length ? el("p.hint", { dir: "auto" }, `${this.say("find.keywords")}: ${keywords.join(", ")}`) : null,
    ].filter(Boolean);
  }

  #table(findings) {
    const head = el("tr", {}, ...COLUMNS.map((name) => el("th", { scope: "col" }, this.say(`find.${name}`))));
    const body = el("tbody", {}, ...findings.map((finding) => this.#row(finding)));
    const table = el("table", {}, el("thead", {}, head), body);
    return el("div.table-scroll", { tabindex: 0, role: "region", "aria-label": this.say("view.findings") }, table);
  }

  #row({ field, value, normalized, page, start, end, confidence }) {
    const differs = normalized !== null && normalized !== undefined && String(normalized) !== String(value);
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, field),
      el("td", { dir: "auto" }, String(value), differs ? el("span.normalized", {}, String(normalized)) : null),
      el("td", {}, page ? this.#place(page, [start, end]) : ""),
      el("td", {}, confidence > 0 ? percentOf(confidence, this.say) : ""),
    );
  }

  /** A finding points to its place: the page opens there and the words are lit. */
  #place(page, span) {
    const attributes = { "aria-label": this.say("find.show", { page }), title: this.say("find.show", { page }) };
    return el("button.place", { ...attributes, on: { click: () => this.showPlace(page, span) } }, String(page));
  }

  #warnings(warnings) {
    if (warnings.length === 0) return [];
    const items = warnings.map(({ text }) => el("li", { dir: "auto" }, text));
    return [el("h2", {}, this.say("find.warnings")), el("ul.warnings", {}, ...items)];
  }
}
