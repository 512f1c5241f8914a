// One row of the list: from the first byte of an upload to the finished document, the same element all the way.

import "../element/document-progress.js";
import { el, setText } from "../element/dom.js";
import { formatBytes, formatTime } from "../element/format.js";
import { kindOf } from "../element/progress-view.js";

export class DocumentRow {
  view = null;
  upload = null;

  /** `on` has `delete(view)`, `dismiss(row)`, `again(upload, {force})`: what the buttons ask for. */
  constructor({ say, on }) {
    this.say = say;
    this.link = el("a.row-name", { dir: "auto" });
    this.meta = el("span.row-meta");
    this.note = el("p.row-note", { hidden: true }, say("duplicate"));
    this.buttons = {
      retry: this.#button("retry", () => on.again(this.upload, {})),
      again: this.#button("again", () => on.again(this.upload, { force: true })),
      dismiss: this.#button("dismiss", () => on.dismiss(this)),
      delete: this.#button("delete", () => on.delete(this.view)),
    };
    const name = el("span", { slot: "name" }, this.link, " ", this.meta);
    this.progress = el("document-progress", { quiet: true }, name, ...Object.values(this.buttons));
    this.element = el("li.row", {}, this.note, this.progress);
  }

  get kind() {
    if (this.view) return kindOf(this.view);
    return this.upload?.problem ? "refused" : "uploading";
  }

  /** Whether this document answered an upload of a moment ago; such rows stand first until dismissed. */
  get isNoted() {
    return !this.note.hidden;
  }

  showUpload(upload) {
    this.upload = upload;
    this.progress.upload = upload;
    setText(this.link, upload.name);
    setText(this.meta, formatBytes(upload.bytes, this.say.locale));
    this.#show(upload.problem && !isRefusal(upload.problem) ? ["retry", "dismiss"] : ["dismiss"]);
  }

  showDocument(view) {
    if (view === this.view) return;
    this.view = view;
    this.progress.document = view;
    this.link.href = `#/documents/${view.document_id}`;
    setText(this.link, view.filename || this.say("untitled"));
    const { locale } = this.say;
    const size = view.bytes >= 0 ? [formatBytes(view.bytes, locale)] : [];
    setText(this.meta, [...size, formatTime(view.uploaded_at, Date.now(), locale)].join(" · "));
    this.#showDocumentButtons();
  }

  /** Says that this document is what an upload turned out to be, with the offer to process it again. */
  markDuplicate(upload) {
    this.upload = upload;
    this.note.hidden = false;
    this.#showDocumentButtons();
  }

  clearNote() {
    this.note.hidden = true;
    this.#showDocumentButtons();
  }

  #showDocumentButtons() {
    this.#show(this.isNoted ? ["again", "dismiss"] : ["delete"]);
  }

  #show(names) {
    for (const [name, button] of Object.entries(this.buttons)) button.hidden = !names.includes(name);
  }

  #button(word, click) {
    return el("button", { slot: "actions", hidden: true, on: { click } }, this.say(word));
  }
}

/** Whether the same bytes would be refused again. */
function isRefusal({ status }) {
  return status >= 400 && status < 500 && status !== 401 && status !== 429;
}
