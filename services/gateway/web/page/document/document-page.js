// The view of one document: its state in large, its stages, and four panels: text, findings, chunks, timeline.

import { ChunksPanel } from "./chunks-panel.js";
import "../../element/document-progress.js";
import { el, setText } from "../../element/dom.js";
import { FindingsPanel } from "./findings-panel.js";
import { formatBytes, formatTime } from "../../element/format.js";
import { PastView } from "./past-view.js";
import { stageName } from "../../element/progress-view.js";
import { ShareDialog } from "./share-dialog.js";
import { TextPanel } from "./text-panel.js";
import { TimelinePanel } from "./timeline-panel.js";

const PANELS = { text: TextPanel, findings: FindingsPanel, chunks: ChunksPanel, timeline: TimelinePanel };

export class DocumentPage {
  #panels = {};
  #tabs = {};
  #chosen = "text";
  #view = null;

  /** `on.delete(view)` asks for deletion. `close()` ends the subscription and all requests. */
  constructor({ id, api, client, say, on }) {
    Object.assign(this, { id, api, say, on });
    this.abort = new AbortController();
    this.past = new PastView(this, () => this.#draw());
    this.#build();
    this.stop = client.subscribe({ document_id: id }, (state) => this.#received(state));
  }

  close() {
    this.stop();
    this.abort.abort();
    for (const panel of Object.values(this.#panels)) panel.close?.();
  }

  #build() {
    const { say } = this;
    const erase = { slot: "actions", on: { click: () => this.on.delete(this.#view) } };
    this.title = el("h1", { dir: "auto", tabindex: -1 }, "…");
    this.progress = el("document-progress.large", {}, el("button.keyed", erase, say("delete")));
    this.meta = el("p.meta");
    this.stages = el("div.stages");
    const links = [["file", "view.file"], ["text", "view.alltext"]].map(([path, word]) => this.#link(path, word));
    this.links = el("p.links", {}, ...links);
    this.share = new ShareDialog(this);
    this.links.append(el("button.keyed", { on: { click: () => this.share.open() } }, say("view.share")));
    for (const [name, Panel] of Object.entries(PANELS)) this.#addPanel(name, new Panel(this));
    const keydown = (event) => this.#onTabKey(event);
    const tabs = el("div.tabs", { role: "tablist", on: { keydown } }, ...Object.values(this.#tabs));
    const panels = Object.values(this.#panels).map((panel) => panel.element);
    this.body = el(
      "div.document-body",
      { hidden: true },
      el("section.card.summary", {}, this.past.element, this.progress, this.stages, this.links),
      el("section.card.panels", {}, tabs, ...panels),
    );
    this.missing = el("p.card.empty", { hidden: true });
    const back = el("a.back.keyed", { href: "#/" }, `← ${say("view.back")}`);
    this.element = el("article.document", {}, back, this.title, this.meta, this.missing, this.body, this.share.element);
    this.#choose("text");
  }

  #addPanel(name, panel) {
    Object.assign(panel.element, { id: `panel-${name}`, role: "tabpanel", tabIndex: 0 });
    panel.element.setAttribute("aria-labelledby", `tab-${name}`);
    this.#panels[name] = panel;
    const attributes = { id: `tab-${name}`, role: "tab", "aria-controls": `panel-${name}` };
    const on = { click: () => this.#choose(name) };
    this.#tabs[name] = el("button", { ...attributes, on }, this.say(`view.${name}`));
  }

  #choose(name) {
    this.#chosen = name;
    if (name !== "timeline") this.past.leave();
    for (const [other, tab] of Object.entries(this.#tabs)) {
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      this.#panels[other].element.hidden = other !== name;
    }
    if (this.#view) this.#panels[name].refresh(this.#view);
  }

  /** Opens a page where a finding stands; `span` is its place in the text of the whole document. */
  showPlace = (page, span) => {
    this.#choose("text");
    this.#panels.text.open(page, span);
    this.#tabs.text.focus({ preventScroll: true });
  };

  /** Shows the document as it was after a row of the timeline; null is the present. */
  travel = (row) => this.past.go(row);

  #onTabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = Object.keys(this.#tabs);
    const next = names[(names.indexOf(this.#chosen) + step + names.length) % names.length];
    this.#choose(next);
    this.#tabs[next].focus();
  }

  /** A link cannot carry an API key: with one, the file is fetched and then saved. */
  #link(path, word) {
    const url = `v1/documents/${this.id}/${path}`;
    const save = async (event) => {
      if (!this.api.token) return;
      event.preventDefault();
      const href = await this.api.objectUrl(url).catch((problem) => this.on.problem(problem));
      if (!href) return;
      el("a", { href, download: `${this.#view.filename}${path === "file" ? "" : ".txt"}` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000); // after the browser has begun to save it
    };
    return el("a", { href: this.api.url(url).href, download: true, on: { click: save } }, this.say(word));
  }

  #received(state) {
    const isOver = state.status === "deleted" || state.status === "error";
    this.body.hidden = isOver || (state.document ?? this.#view) === null;
    this.missing.hidden = !isOver;
    setText(this.missing, this.say(state.status === "deleted" ? "view.deleted" : "view.missing"));
    if (isOver && this.#view === null) setText(this.title, "");
    if (state.document) this.#show(state.document);
  }

  #show(view) {
    this.#view = view;
    this.#draw();
    this.#panels[this.#chosen].refresh(view);
  }

  /** Draws the present, or the past that a person has gone to. */
  #draw() {
    const view = this.past.view ?? this.#view;
    const { say } = this;
    if (!this.past.isOn) this.#panels.timeline.leavePast();
    this.body.toggleAttribute("data-past", this.past.isOn);
    setText(this.title, view.filename || say("untitled"));
    this.progress.document = view;
    const size = view.bytes >= 0 ? `${formatBytes(view.bytes, say.locale)} · ` : "";
    setText(this.meta, size + say("view.uploaded", { time: formatTime(view.uploaded_at, Date.now(), say.locale) }));
    this.#showStages(view);
  }

  /** A stage is shown as a document that has this one stage only. */
  #showStages({ stages = {}, message, error }) {
    const names = Object.keys(stages);
    names.forEach((name, index) => {
      const row = this.stages.children[index] ?? el("document-progress.stage", { quiet: true });
      if (!row.parentNode) this.stages.append(row);
      const stage = stages[name];
      const isSaid = [message?.text, error?.message].includes(stage.message?.text ?? stage.error?.message);
      const texts = isSaid ? { message: null, error: null } : {};
      const filename = stageName(name, this.say);
      row.document = { filename, stages: { [name]: stage }, ...stage, ...texts };
    });
  }
}
