// Every fixed word of the page, in one table. What the server says of a document is translated by its code.

import { ERRORS, MESSAGES, REFUSALS } from "./sentences.js";

// key: [English, German]
export const TABLE = {
  "kind.uploading": ["Uploading", "Wird hochgeladen"],
  "kind.pending": ["Waiting", "Wartet"],
  "kind.running": ["Processing", "In Arbeit"],
  "kind.storing": ["Storing results", "Speichert"],
  "kind.retrying": ["Trying again", "Neuer Versuch"],
  "kind.stalled": ["Stalled", "Stockt"],
  "kind.cancelling": ["Cancelling", "Wird abgebrochen"],
  "kind.cancelled": ["Cancelled", "Abgebrochen"],
  "kind.failed": ["Failed", "Fehlgeschlagen"],
  "kind.partial": ["Partly done", "Teilweise fertig"],
  "kind.completed": ["Completed", "Fertig"],
  "kind.refused": ["Not accepted", "Nicht angenommen"],
  "kind.deleted": ["Deleted", "Gelöscht"],
  "kind.loading": ["Loading", "Lädt"],
  "kind.unavailable": ["Not available", "Nicht verfügbar"],
  "stage.ocr": ["Text recognition", "Texterkennung"],
  "stage.chunk": ["Chunks", "Abschnitte"],
  "stage.extract": ["Findings", "Angaben"],
  "status.pending": ["waiting", "wartet"],
  "status.running": ["running", "läuft"],
  "status.failed": ["failed", "fehlgeschlagen"],
  pages: ["{done} of {total} {total|page|pages}", "{done} von {total} {total|Seite|Seiten}"],
  page: ["page {page}", "Seite {page}"],
  "page.title": ["Page {page}", "Seite {page}"],
  attempt: ["attempt {attempt}", "Versuch {attempt}"],
  eta: ["{range} left", "noch {range}"],
  "eta.none": ["no estimate yet", "noch keine Schätzung"],
  "eta.now": ["a moment", "einen Moment"],
  "retry.at": ["Attempt {attempt} follows at {time}, {wait}.", "Versuch {attempt} folgt um {time}, {wait}."],
  "retry.in": ["in {range}", "in {range}"],
  "retry.now": ["any moment", "jeden Moment"],
  "stalled.text": [
    "A worker disappeared. The work is handed to another one by itself.",
    "Ein Arbeiter ist verschwunden. Die Arbeit geht von selbst an einen anderen.",
  ],
  "cancelling.text": ["Stopping the work; finished pages stay.", "Die Arbeit wird angehalten; fertige Seiten bleiben."],
  "partial.text": [
    "Not readable: {count|page|pages} {pages}. The rest is done.",
    "Nicht lesbar: {count|Seite|Seiten} {pages}. Der Rest ist fertig.",
  ],
  "waiting.text": ["Waiting to be picked up.", "Wartet darauf, an die Reihe zu kommen."],
  "uploading.text": ["{sent} of {total} sent", "{sent} von {total} gesendet"],
  "uploading.queued": ["Waiting for earlier uploads.", "Wartet auf frühere Uploads."],
  "uploading.again": ["No answer yet; trying again {wait}.", "Noch keine Antwort; neuer Versuch {wait}."],
  retry: ["Retry", "Noch einmal"],
  cancel: ["Cancel", "Abbrechen"],
  delete: ["Delete", "Löschen"],
  dismiss: ["Dismiss", "Ausblenden"],
  again: ["Process again", "Neu verarbeiten"],
  progress: ["Progress of {name}", "Fortschritt von {name}"],
  untitled: ["Untitled document", "Dokument ohne Namen"],
  "drop.title": ["Drop documents here", "Dokumente hier ablegen"],
  "drop.hint": [
    "or choose files, or paste them. PDF, images, Office files, e-mail, web pages, text.",
    "oder Dateien wählen, oder einfügen. PDF, Bilder, Office-Dateien, E-Mail, Webseiten, Text.",
  ],
  "drop.button": ["Choose files", "Dateien wählen"],
  "list.title": ["Documents", "Dokumente"],
  "list.empty": ["No documents yet.", "Noch keine Dokumente."],
  "list.none": ["No document is in this state.", "Kein Dokument ist in diesem Zustand."],
  "list.older": ["Show older documents", "Ältere Dokumente zeigen"],
  "list.loading": ["Loading documents…", "Dokumente werden geladen…"],
  "filter.all": ["All", "Alle"],
  "filter.active": ["In progress", "In Arbeit"],
  duplicate: [
    "The same file was uploaded before; this is that document.",
    "Dieselbe Datei wurde schon hochgeladen; dies ist jenes Dokument.",
  ],
  "connection.websocket": ["Live over WebSocket", "Live über WebSocket"],
  "connection.sse": ["Live over event stream", "Live über Ereignisstrom"],
  "connection.poll": ["Live by long poll", "Live über Long Poll"],
  "connection.offline": ["Not connected", "Nicht verbunden"],
  "connection.first": ["Connecting", "Verbindet"],
  "key.title": ["This server asks for a key", "Dieser Server verlangt einen Schlüssel"],
  "key.label": ["API key", "API-Schlüssel"],
  "key.button": ["Continue", "Weiter"],
  "key.hint": [
    "It is kept in this tab only and forgotten when you close it.",
    "Er bleibt nur in diesem Tab und wird beim Schließen vergessen.",
  ],
  "key.wrong": ["The server did not accept this key.", "Der Server hat diesen Schlüssel nicht angenommen."],
  "problem.network": ["The server cannot be reached.", "Der Server ist nicht erreichbar."],
  "problem.network.action": [
    "Check your connection and try again.",
    "Prüfen Sie die Verbindung und versuchen Sie es noch einmal.",
  ],
  "problem.status": ["The server answered with status {status}.", "Der Server antwortete mit Status {status}."],
  "problem.forbidden": [
    "This key lacks the right to look at documents.",
    "Diesem Schlüssel fehlt das Recht, Dokumente zu sehen.",
  ],
  "delete.ask": [
    "Delete “{name}”? The file, its text and its findings are removed for good.",
    "„{name}“ löschen? Die Datei, ihr Text und ihre Angaben werden endgültig entfernt.",
  ],
  "view.back": ["All documents", "Alle Dokumente"],
  "view.text": ["Pages", "Seiten"],
  "view.pages": ["All pages", "Alle Seiten"],
  "view.unsure": [
    "Marked words were recognised with little confidence.",
    "Markierte Wörter wurden mit wenig Sicherheit erkannt.",
  ],
  "view.findings": ["Findings", "Angaben"],
  "view.timeline": ["Timeline", "Verlauf"],
  "view.file": ["Original file", "Originaldatei"],
  "view.alltext": ["All text", "Ganzer Text"],
  "view.missing": ["There is no such document.", "Dieses Dokument gibt es nicht."],
  "view.deleted": ["This document was deleted.", "Dieses Dokument wurde gelöscht."],
  "view.uploaded": ["Uploaded {time}", "Hochgeladen {time}"],
  "view.pages.loading": ["Loading pages…", "Seiten werden geladen…"],
  "view.pages.none": ["Pages appear here as they are recognised.", "Seiten erscheinen hier, sobald sie erkannt sind."],
  "view.page.pending": ["This page is not recognised yet.", "Diese Seite ist noch nicht erkannt."],
  "view.page.failed": ["This page could not be read.", "Diese Seite war nicht lesbar."],
  "view.page.empty": ["There is no text on this page.", "Auf dieser Seite steht kein Text."],
  "view.previous": ["Previous page", "Vorige Seite"],
  "view.next": ["Next page", "Nächste Seite"],
  "view.image": ["Image of page {page}", "Bild der Seite {page}"],
  "view.findings.loading": ["Loading findings…", "Angaben werden geladen…"],
  "view.findings.pending": [
    "Findings appear here when the document is done.",
    "Angaben erscheinen hier, wenn das Dokument fertig ist.",
  ],
  "source.ocr": ["recognised", "erkannt"],
  "source.text_layer": ["from the file's text layer", "aus der Textebene der Datei"],
  confidence: ["{percent} sure", "{percent} sicher"],
  "find.field": ["Field", "Feld"],
  "find.value": ["Value", "Wert"],
  "find.page": ["Page", "Seite"],
  "find.confidence": ["Confidence", "Sicherheit"],
  "find.keywords": ["Keywords", "Stichwörter"],
  "find.show": ["Show on page {page}", "Auf Seite {page} zeigen"],
  "find.warnings": ["Warnings", "Hinweise"],
  "status.done": ["done", "fertig"],
};

const LANGUAGES = ["en", "de"];
const PROBLEMS = { ...ERRORS, ...REFUSALS };

/** The first of a browser's preferred language tags that there are words for; "en" when there is none. */
export function chooseLocale(preferred = []) {
  return preferred.find((tag) => LANGUAGES.includes(tag.slice(0, 2).toLowerCase())) ?? "en";
}

/**
 * A function from key and parameters to words of `table`. It carries `locale`, the tag for numbers and times, `has(key)`, and for
 * what the server says by code: `message({code, params, text})`, of whose parameters `error` is translated to the `reason`, and
 * `error({code, facts, message, action})`, which gives `{message, action}`. Where there is no translation, the server's own
 * sentence stays.
 */
export function wordsOf(locale, table = TABLE) {
  const column = LANGUAGES.indexOf(locale.slice(0, 2).toLowerCase());
  const isServers = column === 0; // the server speaks English itself
  const speak = (key, params = {}) => fill(table[key]?.[column] ?? key, params, locale);
  speak.locale = locale;
  speak.has = (key) => key in table;
  speak.message = (message) => {
    const template = isServers || !message || !Object.hasOwn(MESSAGES, message.code) ? null : MESSAGES[message.code];
    const { error, ...params } = message?.params ?? {};
    if (error) params.reason = speak.error({ ...error, message: params.reason }).message;
    return template && isKnown(template, params) ? fill(template, params, locale) : (message?.text ?? "");
  };
  speak.error = ({ code, facts, message, action }) => {
    const texts = isServers || !facts || !Object.hasOwn(PROBLEMS, code) ? [] : PROBLEMS[code];
    if (texts.length === 0 || !isKnown(texts.join(" "), facts)) return { message, action: action ?? "" };
    const [sentence, advice] = texts.map((text) => fill(text, facts, locale));
    return { message: sentence, action: advice };
  };
  return speak;
}

/** `{name}` becomes a parameter, `{count|one|other}` the form for it; `[…]` stays only if its parameters are there. */
function fill(template, params, locale) {
  const said = template.replace(/\[(.*?)\]/g, (_, part) => (isKnown(part, params) ? part : ""));
  return said.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name, one, other) => {
    if (!(name in params)) return whole;
    if (other !== undefined) return new Intl.PluralRules(locale).select(Number(params[name])) === "one" ? one : other;
    return typeof params[name] === "number" ? params[name].toLocaleString(locale) : params[name];
  });
}

/** Whether every parameter that a template needs is there; what stands in brackets may be missing. */
function isKnown(template, params) {
  const needed = [...template.replace(/\[.*?\]/g, "").matchAll(/\{(\w+)/g)];
  return needed.every(([, name]) => params[name] !== undefined && params[name] !== null);
}
