// Sharing one document: makes links that open it without a key, and takes them back.

import { el, setText } from "../../element/dom.js";
import { formatTime } from "../../element/format.js";
import { Gap } from "../gap.js";
import { documentHash } from "../routes.js";

const DAY = 24 * 3600;
const LASTS = { hour: 3600, day: DAY, week: 7 * DAY, month: 30 * DAY }; // seconds
const MOST = 100; // links in the list

export class ShareDialog {
  /** `element` is the dialog; `open()` shows it with the links as they are now. */
  constructor({ id, api, say, abort }) {
    Object.assign(this, { id, api, say, signal: abort.signal });
    this.made = this.#made();
    this.status = el("p.hint", { role: "status" });
    this.list = el("ul.links-made");
    this.gap = new Gap(say("share.loading"), say, () => this.#load());
    const close = () => this.element.close();
    this.element = el(
      "dialog.card.share",
      { "aria-labelledby": "share-title", on: { click: (event) => event.target === this.element && close() } },
      el("div.share-head", {}, el("h2", { id: "share-title" }, say("share.title")), this.#closer(close)),
      el("p.hint", {}, say("share.hint")),
      this.#form(),
      this.made,
      this.status,
      el("h3", {}, say("share.links")),
      this.gap.element,
      this.list,
    );
  }

  open() {
    this.made.hidden = true;
    this.#tell("");
    this.element.showModal();
    this.#load();
  }

  #closer(close) {
    return el("button.closer", { "aria-label": this.say("share.close"), on: { click: close } }, "×");
  }

  #form() {
    const { say } = this;
    const rights = ["read", "control"].map((right, index) => {
      const input = el("input", { type: "radio", name: "right", value: right, checked: index === 0 });
      return el("label.choice", {}, input, el("span", {}, say(`share.${right}`)));
    });
    const lasts = Object.entries(LASTS).map(([word, seconds]) => el("option", { value: seconds }, say(`share.${word}`)));
    this.ttl = el("select", {}, ...lasts);
    this.ttl.value = LASTS.week;
    this.create = el("button.primary", {}, say("share.create"));
    const submit = (event) => {
      event.preventDefault();
      this.#create(new FormData(event.target).get("right"));
    };
    const legend = el("legend", {}, say("share.right"));
    const last = el("label.lasts", {}, el("span", {}, say("share.lasts")), this.ttl);
    const row = el("div.share-row", {}, last, this.create);
    return el("form", { on: { submit } }, el("fieldset", {}, legend, ...rights), row);
  }

  #made() {
    const select = { focus: () => this.link.select() };
    this.link = el("input", { readonly: true, "aria-label": this.say("share.link"), on: select });
    const copy = el("button", { on: { click: () => this.#copy() } }, this.say("share.copy"));
    return el("div.share-link", { hidden: true }, this.link, copy);
  }

  async #create(right) {
    this.create.disabled = true;
    const wish = { document_id: this.id, right, ttl: Number(this.ttl.value) };
    const made = await this.api.json("v1/tokens", { method: "POST", body: wish }).catch((problem) => ({ problem }));
    this.create.disabled = false;
    if (made.problem) return this.#tell(made.problem.message, made.problem);
    this.link.value = new URL(documentHash(this.id, { token: made.token }), this.api.base).href;
    this.made.hidden = false;
    await this.#copy();
    await this.#load();
  }

  /** Copies the link; where a browser does not let us, the link stands selected for the person to do it. */
  async #copy() {
    const done = await Promise.resolve(navigator.clipboard?.writeText(this.link.value)).then(
      () => navigator.clipboard !== undefined,
      () => false,
    );
    if (!done) this.link.focus();
    this.#tell(this.say(done ? "share.copied" : "share.byhand"));
  }

  async #load() {
    const query = new URLSearchParams({ document_id: this.id, limit: MOST });
    const found = await this.api.json(`v1/tokens?${query}`, { signal: this.signal }).catch((problem) => ({ problem }));
    if (this.signal.aborted) return;
    const { tokens = [], problem } = found;
    if (problem) this.gap.fail(problem);
    else this.gap.say(tokens.length > 0 ? "" : this.say("share.none"));
    this.list.replaceChildren(...tokens.map((token) => this.#row(token)));
  }

  #row({ id, right, expires_at: ends }) {
    const { say } = this;
    const until = say("share.until", { time: formatTime(ends, Date.now(), say.locale) });
    const revoke = async (event) => {
      event.target.disabled = true;
      const problem = await this.api.call(`v1/tokens/${id}`, { method: "DELETE" }).catch((error) => error);
      if (problem instanceof Error && problem.status !== 404) this.#tell(problem.message, problem);
      else this.#tell(say("share.revoked"));
      await this.#load();
    };
    const button = el("button", { on: { click: revoke } }, say("share.revoke"));
    return el("li", {}, el("span", {}, say(`share.${right}`)), el("span.hint", {}, until), button);
  }

  #tell(text, problem = null) {
    this.status.classList.toggle("problem", problem !== null);
    setText(this.status, text);
  }
}
