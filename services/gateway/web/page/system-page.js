// How the whole system is: workers, how far the readers of the log are, failures by code, parked records.

import { el, setText } from "../element/dom.js";
import { formatTime } from "../element/format.js";
import { stageName } from "../element/progress-view.js";

const EVERY_MS = 3_000;
const ORDER = ["ocr", "chunk", "extract"]; // stages that are not ours come after these

export class SystemPage {
  #timer = null;
  #shown = null; // when, as people read it
  #abort = new AbortController();

  /** `on.problem` is told when somebody has to sign in. `close()` ends the asking. */
  constructor({ api, say, on }) {
    Object.assign(this, { api, say, on });
    this.title = el("h1", { tabindex: -1 }, say("system.title"));
    this.state = el("p.meta", { role: "status" }, say("system.loading"));
    this.cards = el("div.system-cards");
    const back = el("a.back", { href: "#/" }, `← ${say("view.back")}`);
    this.element = el("article.document.system", {}, back, this.title, this.state, this.cards);
    this.#ask();
  }

  close() {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  async #ask() {
    const { signal } = this.#abort;
    const isSeen = document.visibilityState === "visible" || !this.#shown;
    const found = isSeen ? await this.api.json("v1/system", { signal }).catch((problem) => ({ problem })) : null;
    if (signal.aborted) return;
    this.#timer = setTimeout(() => this.#ask(), EVERY_MS);
    if (found?.problem) this.#failed(found.problem);
    else if (found) this.#show(found);
  }

  /** What was shown stays, with when that was; whether all is well is not known any more. */
  #failed(problem) {
    this.element.toggleAttribute("data-old", this.#shown !== null);
    this.state.classList.add("problem");
    const old = this.#shown ? this.say("system.old", { time: this.#shown }) : "";
    setText(this.state, `${problem.message} ${old}`);
    if (problem.status === 401) this.on.problem(problem);
  }

  #show(system) {
    this.#shown = new Date().toLocaleTimeString(this.say.locale);
    this.element.toggleAttribute("data-old", false);
    this.state.classList.remove("problem");
    setText(this.state, this.say("system.at", { time: this.#shown }));
    this.cards.replaceChildren(
      this.#verdict(system),
      this.#card("system.stages", this.#stages(system), "wide"),
      this.#card("system.folds", this.#folds(system)),
      this.#card("system.failures", this.#failures(system)),
      this.#card("system.parked", this.#parked(system)),
      this.#card("system.connections", this.#connections(system)),
    );
  }

  #card(word, content, kind = "plain") {
    return el(`section.card.${kind}`, {}, el("h2", {}, this.say(word)), ...content);
  }

  /** The one sentence for who only wants to know whether all is well. */
  #verdict({ halted, lag, workers, folds }) {
    const silent = folds.filter((fold) => fold.silent).map((fold) => fold.name);
    const verdict = (kind, word, names = []) => {
      const facts = { names: names.join(", "), lag: this.#number(lag) };
      return el("p.verdict.card", { "data-kind": kind }, this.say(`system.${word}`, facts));
    };
    if (halted.length > 0) return verdict("bad", "halted", halted);
    if (silent.length > 0) return verdict("bad", "silent", silent);
    if (workers.length === 0) return verdict("bad", "idle");
    return lag > 0 ? verdict("warn", "behind") : verdict("ok", "well");
  }

  #stages({ stages, workers }) {
    const names = Object.keys(stages).sort((a, b) => place(a) - place(b));
    if (names.length === 0) return [el("p.hint", {}, this.say("system.noworkers"))];
    const rows = names.map((name) => {
      const { workers: count, slots, busy } = stages[name];
      const range = { min: 0, max: Math.max(1, slots), value: busy };
      const meter = el("meter", { ...range, "aria-label": stageName(name, this.say) });
      const text = this.say("system.busy", { busy: this.#number(busy), slots: this.#number(slots) });
      return [stageName(name, this.say), this.#number(count), el("span.metered", {}, meter, text)];
    });
    const lines = workers.map(({ name, stage, slots }) => [name, stageName(stage, this.say), this.#number(slots)]);
    const summary = el("summary", {}, this.say("system.each", { count: this.#number(workers.length) }));
    const each = el("details", {}, summary, this.#table(["worker", "stage", "slots"], lines));
    return [this.#table(["stage", "workers", "load"], rows), ...this.#online(workers), each];
  }

  /** What an operator has to know of workers whose children have the network that they were to do without. */
  #online(workers) {
    const online = workers.filter((worker) => worker.kept_network);
    if (online.length === 0) return [];
    const facts = { names: online.map(({ name }) => name).join(", "), reason: online[0].kept_network };
    return [el("p.problem", {}, this.say("system.online", facts))];
  }

  #folds({ folds }) {
    if (folds.length === 0) return [el("p.hint", {}, this.say("system.nofolds"))];
    const sorted = [...folds].sort((a, b) => (a.name < b.name ? -1 : 1));
    const rows = sorted.map((fold) => [fold.name, this.#number(fold.lag ?? 0), this.#stateOf(fold)]);
    return [this.#table(["reader", "lag", "state"], rows)];
  }

  #stateOf({ halted, silent, lag, at }) {
    const state = (kind, text) => el("span.dot", { "data-kind": kind, dir: "auto" }, text);
    if (halted) return state("bad", String(halted));
    const time = at ? formatTime(at, Date.now(), this.say.locale) : "–";
    if (silent) return state("bad", this.say("system.since", { time }));
    return lag > 0 ? state("warn", this.say("system.lagging")) : state("ok", this.say("system.current"));
  }

  #failures({ failures }) {
    const rows = Object.entries(failures).sort(([, a], [, b]) => b - a);
    if (rows.length === 0) return [el("p.hint", {}, this.say("system.nofailures"))];
    const lines = rows.map(([code, count]) => [el("code", {}, code), this.#number(count)]);
    return [this.#table(["code", "documents"], lines)];
  }

  #parked({ parked }) {
    if (parked === null) return [el("p.hint", {}, this.say("system.parked.unknown"))];
    if (parked === 0) return [el("p.hint", {}, this.say("system.parked.none"))];
    const command = el("code", {}, "pagestream parked list");
    const count = el("p.big", { "data-kind": "warn" }, this.#number(parked));
    return [count, el("p.hint", {}, this.say("system.parked.some"), " ", command)];
  }

  #connections({ connections, epoch }) {
    const rows = Object.entries(connections).map(([kind, count]) => [this.say(`system.${kind}`), this.#number(count)]);
    const generation = el("p.hint", {}, this.say("system.epoch", { epoch: epoch ?? "–" }));
    return [this.#table(["connection", "open"], rows), generation];
  }

  #table(names, rows) {
    const head = el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, this.say(`system.${name}`))));
    const body = rows.map(([first, ...rest]) => {
      const cells = rest.map((cell) => el(typeof cell === "string" ? "td.number" : "td", {}, cell));
      return el("tr", {}, el("th", { scope: "row" }, first), ...cells);
    });
    return el("table", {}, el("thead", {}, head), el("tbody", {}, ...body));
  }

  #number(value) {
    return value.toLocaleString(this.say.locale);
  }
}

const place = (stage) => (ORDER.indexOf(stage) + 1 || ORDER.length + 1);
