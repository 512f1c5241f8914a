// Time travel: the document as it was after a fact of its timeline, asked of the server, until one comes back to now.

import { el, setText } from "../../element/dom.js";
import { formatTime } from "../../element/format.js";

export class PastView {
  view = null; // the document view of then, null in the present and while it is fetched
  #row = null;

  /** `onChange()` is called when another view is to be drawn. */
  constructor({ id, api, say, on, abort }, onChange) {
    Object.assign(this, { id, api, say, on, signal: abort.signal, onChange });
    this.text = el("span", { role: "status" });
    const back = el("button", { on: { click: () => this.leave() } }, say("past.back"));
    this.element = el("div.past", { hidden: true }, this.text, back);
  }

  /** Whether a past view is shown, or on its way. */
  get isOn() {
    return this.#row !== null;
  }

  /** Goes to a row of the timeline, or back to now for null. What was asked for last is what is shown. */
  async go(row) {
    if (row === null) return this.leave();
    this.#row = row;
    this.#tell("past.loading");
    const path = `v1/documents/${this.id}/timeline/${row.version}`;
    const view = await this.api.json(path, { signal: this.signal }).catch((problem) => ({ problem }));
    if (row !== this.#row || this.signal.aborted) return;
    if (view.problem) {
      this.on.problem(view.problem);
      return this.leave();
    }
    this.view = view;
    this.#tell("past.at");
    this.onChange();
  }

  leave() {
    if (!this.isOn) return;
    this.view = this.#row = null;
    this.element.hidden = true;
    this.onChange();
  }

  #tell(word) {
    this.element.hidden = false;
    const time = formatTime(this.#row.at, Date.now(), this.say.locale, true);
    setText(this.text, this.say(word, { time }));
  }
}
