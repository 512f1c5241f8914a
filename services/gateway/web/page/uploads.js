// Uploads of this page: a few at a time, tried again by themselves while the server cannot take them.

const AT_ONCE = 3; // browsers open six connections to a host
const TRIES = 6;
const CAP_MS = 30_000;
const TRY_AGAIN = [0, 429, 502, 503, 504]; // statuses that say "later", 0 for no answer at all

/** Milliseconds until an upload is tried again, or null when only a person can help. `attempt` counts from 0. */
export function uploadRetry({ status, retryAfter }, attempt, random) {
  if (!TRY_AGAIN.includes(status) || attempt + 1 >= TRIES) return null;
  const asked = retryAfter === null ? 0 : retryAfter * 1000;
  return asked + random * Math.min(CAP_MS, 1000 * 2 ** attempt);
}

/**
 * `add(files)` queues uploads; `onChange(upload)` tells of each change, `onAccepted(upload, answer)` of each success.
 *
 * An upload is `{key, name, bytes, sent, started, againAt, problem}`: bytes sent so far, whether its turn has come,
 * when it is tried again (ISO, or null), and the ApiProblem that ended it (or null).
 */
export class Uploads {
  #queue = [];
  #running = 0;

  constructor({ api, onChange, onAccepted }) {
    Object.assign(this, { api, onChange, onAccepted });
  }

  add(files) {
    for (const file of files) this.#enqueue({ key: newKey(), file, name: file.name, bytes: file.size });
  }

  /** Starts a refused upload again; `force` has a duplicate processed once more. */
  again(upload, { force = false } = {}) {
    this.#enqueue(Object.assign(upload, { key: newKey(), force }));
  }

  /** Stops an upload that has not been accepted yet. */
  cancel(upload) {
    this.#queue = this.#queue.filter((other) => other !== upload);
    clearTimeout(upload.timer);
    upload.abort.abort();
  }

  #enqueue(upload) {
    const fresh = { sent: 0, started: false, againAt: null, problem: null, attempt: 0, abort: new AbortController() };
    this.#queue.push(Object.assign(upload, fresh));
    this.onChange(upload);
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE && this.#queue.length > 0) this.#send(this.#queue.shift());
  }

  async #send(upload) {
    this.#running += 1;
    Object.assign(upload, { started: true, againAt: null });
    const onSent = (sent) => this.onChange(Object.assign(upload, { sent }));
    const options = { key: upload.key, force: upload.force, onSent, signal: upload.abort.signal };
    try {
      this.onAccepted(upload, await this.api.upload(upload.file, options));
    } catch (problem) {
      if (problem.name !== "AbortError") this.#failed(upload, problem);
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }

  #failed(upload, problem) {
    const delay = problem.status === undefined ? null : uploadRetry(problem, upload.attempt, Math.random());
    if (delay === null) return this.onChange(Object.assign(upload, { problem }));
    upload.attempt += 1;
    upload.againAt = new Date(Date.now() + delay).toISOString();
    this.onChange(upload);
    upload.timer = setTimeout(() => {
      this.#queue.unshift(upload); // its key makes it the same upload, whatever became of the last try
      this.#next();
    }, delay);
  }
}

/** A random key; `crypto.randomUUID` is missing on plain http outside localhost. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Tells of files dropped anywhere, pasted, or chosen with the button; folders are left out. */
export function collectFiles({ zone, input, button }, onFiles) {
  const take = (files) => files.length > 0 && onFiles([...files]);
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0; // dragenter and dragleave come for every child
  const mark = (change) => zone.classList.toggle("over", (depth = Math.max(0, change)) > 0);
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
  document.addEventListener("paste", (event) => take(event.clipboardData?.files ?? []));
  document.addEventListener("dragenter", (event) => hasFiles(event) && mark(depth + 1));
  document.addEventListener("dragleave", (event) => hasFiles(event) && mark(depth - 1));
  document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    mark(0);
    const items = [...event.dataTransfer.items].filter((item) => item.webkitGetAsEntry()?.isFile !== false);
    take(items.map((item) => item.getAsFile()).filter(Boolean));
  });
}
