// Where in the page one is: everything is in the fragment of the address, which no browser sends to a server. Pure.

/**
 * `{name: "home" | "system" | "document", id, token, page, span}` for a location's hash; what is not there is null.
 *
 * `token` is the capability token of a shared link, `span` is [start, end) in the text of the document.
 */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const asked = new URLSearchParams(query);
  const id = path.match(/^documents\/([\w-]+)$/)?.[1] ?? null;
  const name = id ? "document" : path === "system" ? "system" : "home";
  const span = asked.get("at")?.match(/^(\d+)-(\d+)$/);
  return {
    name,
    id,
    token: id && asked.get("token"),
    page: Number.parseInt(asked.get("page"), 10) || null,
    span: span ? [Number(span[1]), Number(span[2])] : null,
  };
}

/** The hash of a document, of a place in it, or of the same for who has a token. */
export function documentHash(id, { token = null, page = null, span = null } = {}) {
  const asked = new URLSearchParams();
  if (page) asked.set("page", page);
  if (span) asked.set("at", span.join("-"));
  if (token) asked.set("token", token);
  return `#/documents/${id}${asked.size > 0 ? `?${asked}` : ""}`;
}
