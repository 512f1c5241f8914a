// The calls of the gateway that the page makes. Every failure is an `ApiProblem` made from the RFC 9457 body.

/** A refusal or failure: `code`, `status` (0: no answer), `message`, `action` and `retryAfter` (seconds or null). */
export class ApiProblem extends Error {
  constructor({ code, status, message, action = "", retryAfter = null }) {
    super(message);
    Object.assign(this, { code, status, action, retryAfter });
  }
}

/** The problem that an answer stands for. `body` is the parsed JSON, or null where a proxy answered with HTML. */
export function problemOf(status, body, retryAfter, say) {
  if (status === 0) {
    const action = say("problem.network.action");
    return new ApiProblem({ code: "network", status, message: say("problem.network"), action });
  }
  const detail = typeof body?.detail === "string" ? body.detail : null;
  const said = { code: body?.code, facts: body, message: detail ?? body?.title, action: body?.action };
  const { message, action } = body ? say.error(said) : said;
  const seconds = retryAfter === null ? null : Number.parseFloat(retryAfter);
  const wait = Number.isFinite(seconds) ? seconds : null;
  const code = body?.code ?? `http_${status}`;
  return new ApiProblem({ code, status, message: message ?? say("problem.status", { status }), action, retryAfter: wait });
}

export class Api {
  constructor({ base, token = null, say }) {
    Object.assign(this, { base, token, say });
  }

  url(path) {
    return new URL(path, this.base);
  }

  get headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /** The response of a call that went well; throws ApiProblem. `path` is relative to the base, `body` goes as JSON. */
  async call(path, { method = "GET", body, signal } = {}) {
    const json = body === undefined ? {} : { "Content-Type": "application/json" };
    const options = { method, headers: { ...this.headers, ...json }, body: body && JSON.stringify(body), signal };
    const response = await fetch(this.url(path), options).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw problemOf(0, null, null, this.say);
    });
    if (response.ok) return response;
    const problem = await response.json().catch(() => null);
    throw problemOf(response.status, problem, response.headers.get("retry-after"), this.say);
  }

  async json(path, options) {
    return (await this.call(path, options)).json();
  }

  /** The body as an address for an image or a download; the caller revokes it. */
  async objectUrl(path, options) {
    return URL.createObjectURL(await (await this.call(path, options)).blob());
  }

  retry = (id) => this.call(`v1/documents/${id}/retry`, { method: "POST" });
  cancel = (id) => this.call(`v1/documents/${id}/cancel`, { method: "POST" });
  delete = (id) => this.call(`v1/documents/${id}`, { method: "DELETE" });

  /**
   * Sends a file; resolves to the answer's body, rejects with ApiProblem. XMLHttpRequest, since fetch tells nothing of
   * the bytes already sent. `onSent` is called with bytes; `key` makes a repeated try the same upload.
   */
  upload(file, { key, force = false, onSent, signal }) {
    const form = new FormData();
    form.append("file", file, file.name);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.url(force ? "v1/documents?force=true" : "v1/documents"));
      for (const [name, value] of Object.entries(this.headers)) request.setRequestHeader(name, value);
      request.setRequestHeader("Idempotency-Key", key);
      request.upload.onprogress = (event) => onSent((event.loaded / event.total) * file.size);
      request.onabort = () => reject(new DOMException("", "AbortError"));
      request.onerror = () => reject(problemOf(0, null, null, this.say));
      request.onload = () => {
        const body = parse(request.responseText);
        if (request.status < 300 && body) return resolve(body);
        reject(problemOf(request.status, body, request.getResponseHeader("retry-after"), this.say));
      };
      signal.addEventListener("abort", () => request.abort());
      request.send(form);
    });
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's error page; the status says enough
  }
}
