// What a person is shown of a document: one pure function from the document view to words, numbers and buttons.

import { formatBytes, formatPages, formatPercent, formatRange, formatTime, formatWait } from "./format.js";

const OPEN_KINDS = ["pending", "running", "storing", "retrying", "stalled"];
const RETRY_KINDS = ["failed", "partial", "cancelled"];

/** The one word for a document: its status, refined by its message alone, for rows of a list come without stages. */
export function kindOf(view) {
  switch (view.status) {
    case "completed":
      return view.partial ? "partial" : "completed";
    case "uploaded":
      return "pending";
    case "processed":
      return "storing";
    case "processing":
      if (view.message?.code === "worker.lost") return "stalled";
      return view.message?.code === "queue.waiting" && !(view.pages?.done > 0) ? "pending" : "running";
    default:
      return view.status; // retrying, stalled, cancelling, cancelled, failed
  }
}

/**
 * `{kind, label, percent, valueText, message, details, error, actions}` for a document view.
 *
 * `message` and `details` are sentences, `error` is null or `{message, where, action}`, `actions` names buttons.
 * `now` in milliseconds. `percent` is the server's own: nothing is shown that the server does not hold.
 */
export function present(view, { say, now }) {
  const kind = kindOf(view);
  const percent = view.percent ?? 0;
  const label = say(`kind.${kind}`);
  return {
    kind,
    label,
    percent,
    valueText: `${label}, ${formatPercent(percent, say.locale)}`,
    message: messageOf(view, kind, say, now),
    details: detailsOf(view, kind, say),
    error: errorOf(view, kind, say),
    actions: view.job_id ? [] : actionsOf(kind), // a job belongs to whoever works on it
  };
}

/** The view of an upload of this page that the server does not know yet: percent of bytes sent; see uploads.js. */
export function presentUpload(upload, { say, now }) {
  const kind = upload.problem ? "refused" : "uploading";
  const percent = Math.min(99, (100 * upload.sent) / Math.max(1, upload.bytes)); // 100 is for the server to say
  const label = say(`kind.${kind}`);
  const error = upload.problem && { message: upload.problem.message, where: "", action: upload.problem.action };
  const message = upload.problem ? "" : uploadMessage(upload, say, now);
  const valueText = `${label}, ${formatPercent(percent, say.locale)}`;
  return { kind, label, percent, valueText, message, details: [], error: error ?? null, actions: [] };
}

function uploadMessage(upload, say, now) {
  if (upload.againAt) return say("uploading.again", { wait: formatWait(upload.againAt, now, say) });
  if (!upload.started) return say("uploading.queued");
  const [sent, total] = [upload.sent, upload.bytes].map((bytes) => formatBytes(bytes, say.locale));
  return say("uploading.text", { sent, total });
}

function messageOf(view, kind, say, now) {
  const text = say.message(view.message);
  switch (kind) {
    case "retrying":
      return retryMessage(view, say, now) || text;
    case "stalled":
      return view.job_id ? text : say("stalled.text"); // nobody else takes over a job of somebody else's
    case "cancelling":
      return say("cancelling.text");
    case "partial":
      return partialMessage(view.pages?.failed ?? [], say) || text;
    case "pending":
      return text || (view.document_id ? say("waiting.text") : "");
    case "failed":
      return view.error ? "" : text;
    default:
      return text;
  }
}

function partialMessage(failed, say) {
  return failed.length ? say("partial.text", { count: failed.length, pages: formatPages(failed) }) : "";
}

function retryMessage({ message }, say, now) {
  const { attempt, due_at: at } = message?.params ?? {};
  return at && say("retry.at", { attempt, time: formatTime(at, now, say.locale), wait: formatWait(at, now, say) });
}

function detailsOf(view, kind, say) {
  const details = [];
  if (view.pages?.total) details.push(say("pages", view.pages));
  if (kind === "running" && (view.pages || view.job_id)) {
    details.push(view.eta_seconds ? say("eta", { range: formatRange(view.eta_seconds, say) }) : say("eta.none"));
  }
  const attempt = Math.max(0, ...Object.values(view.stages ?? {}).map((stage) => stage.attempt ?? 0));
  if (["running", "stalled"].includes(kind) && attempt > 1) details.push(say("attempt", { attempt }));
  return details;
}

function errorOf(view, kind, say) {
  if (kind === "retrying") {
    const stage = Object.values(view.stages ?? {}).find(({ status }) => status === "retrying");
    const { reason, error: cause } = view.message?.params ?? {};
    const error = stage?.error ?? { ...cause, message: reason }; // rows of a feed come without stages
    // No action: it is tried again by itself.
    return error.message ? { message: say.error(error).message, where: whereOf(error, say), action: "" } : null;
  }
  if (!view.error || !["failed", "partial"].includes(kind)) return null;
  return { where: whereOf(view.error, say), ...say.error(view.error) };
}

/** "Text recognition, page 3, attempt 2"; a stage without a word is named as it is. */
export function whereOf({ stage, page, attempt }, say) {
  const parts = [];
  if (stage) parts.push(stageName(stage, say));
  if (page) parts.push(say("page", { page }));
  if (attempt > 1) parts.push(say("attempt", { attempt }));
  return parts.join(", ");
}

export function stageName(stage, say) {
  return say.has(`stage.${stage}`) ? say(`stage.${stage}`) : stage;
}

function actionsOf(kind) {
  if (OPEN_KINDS.includes(kind)) return ["cancel"];
  return RETRY_KINDS.includes(kind) ? ["retry"] : [];
}

/** What to read out after a change, or "": a new state, or another quarter of the way. */
export function announcement(before, after) {
  if (before === null) return "";
  if (before.kind !== after.kind) return [after.label, after.message, after.error?.message].filter(Boolean).join(". ");
  return Math.floor(before.percent / 25) === Math.floor(after.percent / 25) ? "" : after.valueText;
}

/** The filter of the list that a document falls under. */
export function filterOf(kind) {
  return RETRY_KINDS.includes(kind) || kind === "completed" ? kind : "active";
}
