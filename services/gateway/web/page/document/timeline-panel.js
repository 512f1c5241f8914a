// What happened to the document: one line per fact with the time it took, newest last. A line takes one back to it.

import { arrange, el, paced, setAttribute, setText } from "../../element/dom.js";
import { formatDuration, spansOf, timesOf } from "./durations.js";
import { Gap } from "../gap.js";
import { stageName, whereOf } from "../../element/progress-view.js";

const REFRESH_MS = 1_500;
const AT_ONCE = 500; // rows of one answer
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class TimelinePanel {
  #facts = null;
  #rows = new Map(); // event_id → {row, element, button, since}
  #answers = 1; // how many answers' worth of rows is asked for
  #chosen = null; // event_id

  /** `travel(row)` is called with the row that a person chose, or null for the present. */
  constructor({ id, api, say, abort, travel }) {
    Object.assign(this, { id, api, say, signal: abort.signal, travel });
    this.load = paced(REFRESH_MS, abort.signal, () => this.#load().catch((problem) => this.#failed(problem)));
    this.spans = el("div.spans", { role: "group", "aria-label": say("time.stages"), hidden: true });
    this.gap = new Gap(say("time.loading"), say, this.load);
    const keydown = (event) => this.#onKey(event);
    this.list = el("ol.timeline", { "aria-label": say("view.timeline"), on: { keydown } });
    this.more = el("button.more", { hidden: true, on: { click: () => this.#loadMore() } }, say("time.more"));
    this.element = el("div.panel", {}, this.spans, this.list, this.gap.element, this.more);
  }

  /** Reads the rows again when there are new facts (not for ticks). */
  refresh(view) {
    this.#drawSpans(view);
    const facts = `${view.epoch}:${Math.floor(view.version / 1e6)}`;
    if (facts !== this.#facts) this.load();
    this.#facts = facts;
  }

  /** Marks no row as chosen any more. */
  leavePast() {
    this.#mark(null);
  }

  async #load() {
    const rows = [];
    let cursor = null;
    for (let answer = 0; answer < this.#answers && (answer === 0 || cursor); answer += 1) {
      const query = new URLSearchParams({ limit: AT_ONCE, ...(cursor ? { cursor } : {}) });
      const path = `v1/documents/${this.id}/timeline?${query}`;
      const { events, next_cursor: next } = await this.api.json(path, { signal: this.signal });
      rows.push(...events);
      cursor = next;
    }
    this.more.hidden = !cursor;
    this.more.disabled = false;
    this.#draw(rows);
  }

  #failed(problem) {
    this.#facts = null; // the next change asks again
    this.more.disabled = false;
    if (problem.name !== "AbortError") this.gap.fail(problem);
  }

  #loadMore() {
    this.#answers += 1;
    this.more.disabled = true;
    this.load();
  }

  #draw(rows) {
    this.gap.say(rows.length > 0 ? "" : this.say("time.none"));
    const times = timesOf(rows);
    const known = this.#rows;
    this.#rows = new Map(rows.map((row) => [row.event_id, known.get(row.event_id) ?? this.#line(row)]));
    [...this.#rows.values()].forEach((line, index) => setText(line.since, this.#duration(times[index])));
    arrange(this.list, [...this.#rows.values()].map(({ element }) => element));
    this.#mark(this.#rows.has(this.#chosen) ? this.#chosen : null);
  }

  #line(row) {
    const { at, type, stage, attempt, page, code, params, summary: text } = row;
    const { say } = this;
    const named = stage ? { ...params, stage: stageName(stage, say) } : params;
    const what = say.message({ code, params: named, text }) || type;
    const time = new Date(at).toLocaleTimeString(say.locale);
    const since = el("span.since");
    const parts = [
      el("time", { datetime: at, title: new Date(at).toLocaleString(say.locale) }, time),
      el("span.what", { dir: "auto" }, what),
      since,
      el("span.where", {}, whereOf({ stage, page, attempt }, say)),
    ];
    const button = el("button.fact", { title: say("time.show"), on: { click: () => this.#choose(row) } }, ...parts);
    return { row, since, button, element: el("li", { "data-type": type }, button) };
  }

  #duration({ since, took }) {
    const { say } = this;
    if (took !== null) return say("time.took", { time: formatDuration(took, say.locale) });
    return since === null ? "" : `+${formatDuration(since, say.locale)}`;
  }

  #choose(row) {
    const isChosen = this.#chosen === row.event_id;
    this.#mark(isChosen ? null : row.event_id);
    this.travel(isChosen ? null : row);
  }

  #mark(chosen) {
    this.#chosen = chosen;
    const stop = chosen ?? [...this.#rows.keys()].at(-1); // one stop for the Tab key, however many rows there are
    for (const [id, { button }] of this.#rows) {
      setAttribute(button, "aria-current", id === chosen && "true");
      button.tabIndex = id === stop ? 0 : -1;
    }
  }

  #onKey(event) {
    const lines = [...this.#rows.values()];
    const here = lines.findIndex(({ button }) => button === event.target);
    const step = { ...STEPS, Home: -here, End: lines.length - 1 - here }[event.key];
    const next = lines[here + (step ?? NaN)];
    if (!next) return;
    event.preventDefault();
    next.button.focus();
    if (step !== 0) this.#choose(next.row);
  }

  #drawSpans(view) {
    const spans = spansOf(view);
    this.spans.hidden = spans.length === 0;
    const lines = spans.map(({ name, left, width, ms, open }) => {
      const bar = el("span.span-bar", { "data-stage": name, "data-open": open });
      Object.assign(bar.style, { insetInlineStart: `${left}%`, width: `max(3px, ${width}%)` });
      const time = el("span.span-time", {}, formatDuration(ms, this.say.locale));
      const label = el("span.span-name", {}, stageName(name, this.say));
      return el("div.span", {}, label, el("span.span-track", {}, bar), time);
    });
    this.spans.replaceChildren(...lines);
  }
}
