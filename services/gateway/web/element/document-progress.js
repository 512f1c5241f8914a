// <document-progress document-id="…" src="https://docs.example/" token="…">: one document, live, in any page.
//
// Attributes: `document-id`, or `job-id` for a standalone job of /v1/jobs; `src`, the server (default: where this module came from); `token`; `lang` as usual;
// `quiet` keeps the live region silent (for lists). Slots: `name`, `actions`. Parts: heading, state, label, percent,
// track, bar, message, connection, error, foot, button. A page that has the document already sets the property `document`
// instead of `document-id`.
// The attributes `kind` and `connection` say what is shown and over what; `document-change` (`detail.kind`,
// `detail.document`) tells of each new state. Retry and cancel first send the event `document-action` (`detail.action`, `detail.documentId`, cancelable).

import { Api } from "../client/api.js";
import { sharedClient } from "../client/client.js";
import { el, setText } from "./dom.js";
import { formatPercent } from "./format.js";
import { styles } from "./progress-styles.js";
import { announcement, present, presentUpload } from "./progress-view.js";
import { chooseLocale, wordsOf } from "./words.js";

const SERVER = new URL("../..", import.meta.url).href;
const COUNTDOWN_MS = 1_000;
const NO_NUMBER = ["loading", "deleted", "unavailable", "refused"];

export class DocumentProgress extends HTMLElement {
  static observedAttributes = ["document-id", "job-id", "src", "token"];
  #parts = null;
  #document = null;
  #upload = null; // an upload of this page that the server does not know yet
  #problem = null;
  #shown = null;
  #stop = null;
  #timer = null;

  connectedCallback() {
    this.#build();
    this.#follow();
    this.#render();
  }

  disconnectedCallback() {
    this.#unfollow();
    clearTimeout(this.#timer);
  }

  attributeChangedCallback() {
    if (!this.isConnected || this.#parts === null) return;
    this.#document = this.#problem = this.#shown = null;
    this.#unfollow();
    this.connectedCallback();
  }

  /** The document view (or a row of the feed); setting it shows it. */
  get document() {
    return this.#document;
  }

  set document(view) {
    this.#document = view;
    this.#upload = null;
    this.#render();
  }

  /** An upload in progress (see uploads.js), shown until `document` is set. */
  set upload(upload) {
    this.#upload = upload;
    this.#render();
  }

  get say() {
    const lang = this.closest("[lang]")?.lang;
    return wordsOf(chooseLocale(lang ? [lang] : navigator.languages));
  }

  #build() {
    if (this.#parts) return;
    const [name, label, percent, bar, message, details, connection, why, where, action, live] = [
      "name", "label", "percent", "bar", "message", "details", "connection", "why", "where", "action", "live",
    ].map((part) => el(`span.${part}`, { part, dir: "auto" }));
    const range = { role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 };
    const progress = el("div.track", { part: "track", ...range }, bar);
    const error = el("div.error", { part: "error", hidden: true }, where, why, action);
    const buttons = Object.fromEntries(["retry", "cancel"].map((verb) => [verb, this.#button(verb)]));
    live.setAttribute("aria-live", "polite");
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [styles];
    root.append(
      el(
        "div.head",
        {},
        el("div.heading", { part: "heading" }, el("slot", { name: "name" }, name)),
        el("span.state", { part: "state" }, label, percent),
      ),
      progress,
      error,
      el(
        "div.foot",
        { part: "foot" },
        el("div.text", {}, message, el("span.dot", {}, "·"), details, connection),
        el("div.buttons", {}, ...Object.values(buttons), el("slot", { name: "actions" })),
      ),
      live,
    );
    const texts = { name, label, percent, message, details, connection, why, where, action, live };
    this.#parts = { ...texts, bar, progress, error, buttons };
  }

  #button(verb) {
    const click = (event) => this.#act(verb, event.currentTarget);
    return el("button", { part: "button", hidden: true, on: { click } });
  }

  #follow() {
    const [document_id, job_id] = [this.getAttribute("document-id"), this.getAttribute("job-id")];
    if (!document_id && !job_id) return;
    const client = sharedClient(this.getAttribute("src") ?? SERVER, this.getAttribute("token"));
    const onConnection = () => {
      this.setAttribute("connection", client.connection);
      if (client.problem) this.#showProblem(client.problem === "not_found" ? "missing" : "forbidden");
      else this.#render();
    };
    onConnection();
    client.addEventListener("connection", onConnection);
    const unsubscribe = client.subscribe(document_id ? { document_id } : { job_id }, (state) => this.#received(state));
    this.#stop = () => {
      this.removeAttribute("connection");
      client.removeEventListener("connection", onConnection);
      unsubscribe();
    };
  }

  #unfollow() {
    this.#stop?.();
    this.#stop = null;
  }

  #received(state) {
    if (state.document) this.document = state.document;
    this.#showProblem(state.status === "deleted" ? "deleted" : state.status === "error" ? "missing" : null);
  }

  #showProblem(problem) {
    this.#problem = problem;
    this.#render();
  }

  #view() {
    const options = { say: this.say, now: Date.now() };
    if (this.#problem) return this.#plain(this.#problem === "deleted" ? "deleted" : "unavailable", this.#problem);
    if (this.#document) return present(this.#document, options);
    return this.#upload ? presentUpload(this.#upload, options) : this.#plain("loading", null);
  }

  #plain(kind, problem) {
    const label = this.say(`kind.${kind}`);
    const key = problem === "forbidden" ? "problem.forbidden" : `view.${problem}`;
    const message = problem ? this.say(key) : "";
    return { kind, label, percent: 0, valueText: label, message, details: [], error: null, actions: [] };
  }

  #render() {
    if (this.#parts === null) return;
    const view = this.#view();
    const { say } = this;
    const parts = this.#parts;
    const name = this.#document?.filename ?? this.#document?.title ?? this.#upload?.name ?? say("untitled");
    this.setAttribute("kind", view.kind);
    setText(parts.name, name);
    setText(parts.label, view.label);
    setText(parts.percent, NO_NUMBER.includes(view.kind) ? "" : formatPercent(view.percent, say.locale));
    setText(parts.message, view.message);
    setText(parts.details, view.details.join(" · "));
    const connection = this.#document && this.getAttribute("connection");
    setText(parts.connection, connection ? say(`connection.${connection}`) : "");
    this.#renderBar(view, say("progress", { name }));
    this.#renderError(view.error);
    for (const [verb, button] of Object.entries(parts.buttons)) {
      button.hidden = !view.actions.includes(verb);
      setText(button, say(verb));
    }
    const news = this.hasAttribute("quiet") ? "" : announcement(this.#shown, view);
    if (news) setText(parts.live, news);
    const isNew = this.#shown !== null && this.#shown.kind !== view.kind;
    this.#shown = view;
    if (isNew) this.#tell("document-change", { kind: view.kind, document: this.#document });
    this.#countDown(view.kind);
  }

  #renderBar(view, label) {
    const { bar, progress } = this.#parts;
    bar.style.width = `${view.percent}%`;
    progress.setAttribute("aria-label", label);
    progress.setAttribute("aria-valuenow", Math.floor(view.percent));
    progress.setAttribute("aria-valuetext", view.valueText);
  }

  #renderError(error) {
    const { why, where, action } = this.#parts;
    this.#parts.error.hidden = error === null;
    setText(where, error?.where ?? "");
    setText(why, error?.message ?? "");
    setText(action, error?.action ?? "");
  }

  /** "in 12 s" must count while nothing arrives. */
  #countDown(kind) {
    clearTimeout(this.#timer);
    if (this.isConnected && (kind === "retrying" || this.#upload?.againAt)) {
      this.#timer = setTimeout(() => this.#render(), COUNTDOWN_MS);
    }
  }

  /** False when a listener has taken the matter into its own hands. */
  #tell(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  async #act(action, button) {
    const documentId = this.#document.document_id;
    if (!this.#tell("document-action", { action, documentId })) return;
    const api = new Api({ base: this.getAttribute("src") ?? SERVER, token: this.getAttribute("token"), say: this.say });
    button.disabled = true;
    await api[action](documentId)
      .catch((problem) => this.#renderError({ where: "", message: problem.message, action: problem.action }))
      .finally(() => (button.disabled = false));
  }
}

customElements.define("document-progress", DocumentProgress);
