// What stands where content will be: that it loads, why there is none, or what went wrong and a way to ask again.

import { el, setText } from "../element/dom.js";

export class Gap {
  /** `again()` asks once more; it is offered after a problem, until there is an answer. */
  constructor(text, say, again) {
    this.text = el("span", { role: "status" }, text);
    this.again = el("button", { hidden: true, on: { click: () => this.#ask(say, again) } }, say("ask.again"));
    this.element = el("p.hint.gap", {}, this.text, this.again);
  }

  /** Says why there is nothing to see, or with an empty text leaves the place to the content. */
  say(text) {
    const had = document.activeElement === this.again;
    setText(this.text, text);
    this.again.hidden = true;
    this.text.classList.remove("problem");
    this.element.hidden = text === "";
    if (had) this.element.closest("[tabindex]")?.focus(); // the keyboard stays where the content now is
  }

  /** Says what went wrong. */
  fail({ message }) {
    setText(this.text, message);
    this.text.classList.add("problem");
    this.again.hidden = false;
    this.element.hidden = false;
  }

  #ask(say, again) {
    setText(this.text, say("ask.asking"));
    again();
  }
}
