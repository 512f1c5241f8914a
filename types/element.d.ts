// Types of services/gateway/web/document-progress.js; importing it defines <document-progress>.

import type { DocumentRow, DocumentView } from "./client.js";

export class DocumentProgress extends HTMLElement {
  /** Setting it shows it; with the attribute `document-id` the element follows by itself. */
  document: DocumentView | DocumentRow | null;
}

declare global {
  interface HTMLElementTagNameMap { "document-progress": DocumentProgress }
  interface HTMLElementEventMap {
    "document-action": CustomEvent<{ action: "retry" | "cancel"; documentId: string }>;
    "document-change": CustomEvent<{ kind: string; document: DocumentView | DocumentRow | null }>;
  }
}
