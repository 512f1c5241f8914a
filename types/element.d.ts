// Types of services/gateway/web/element/document-progress.js; importing it defines <document-progress>.

import type { DocumentRow, DocumentView, JobView } from "./client.js";

/** What it follows, set as attributes in HTML. */
export interface DocumentProgressAttributes {
  "document-id"?: string; "job-id"?: string; src?: string; token?: string; lang?: string; quiet?: boolean;
}

export class DocumentProgress extends HTMLElement {
  /** Setting it shows it; with `document-id` or `job-id` the element follows by itself. */
  document: DocumentView | DocumentRow | JobView | null;
}

declare global {
  interface HTMLElementTagNameMap { "document-progress": DocumentProgress }
  interface HTMLElementEventMap {
    "document-action": CustomEvent<{ action: "retry" | "cancel"; documentId: string }>;
    "document-change": CustomEvent<{ kind: string; document: DocumentView | DocumentRow | JobView | null }>;
  }
}
