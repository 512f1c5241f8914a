// Types of services/gateway/web/client/client.js; the document view is the one of the HTTP interface.

export interface Message { code: string; params: Record<string, unknown>; text: string }

export interface DocumentError {
  code: string; facts?: Record<string, unknown>; message: string; stage: string | null; page: number | null; attempt: number | null;
  retryable: boolean; action: string;
}

export type StageStatus = "pending" | "running" | "retrying" | "stalled" | "failed" | "cancelled" | "completed";

export interface StageView {
  status: StageStatus; percent: number; attempt: number; retry_count: number; started_at: string | null;
  completed_at: string | null; next_attempt_at: string | null; message: Message; error: DocumentError | null;
}

export type DocumentStatus =
  | "uploaded" | "processing" | "processed" | "retrying" | "cancelling" | "cancelled" | "failed" | "completed";

export interface DocumentView {
  document_id: string; filename: string; batch: string | null; tags: string[]; content_type: string; bytes: number; status: DocumentStatus; percent: number;
  partial: boolean; message: Message; eta_seconds: { low: number; high: number } | null;
  pages: { total: number | null; done: number; failed: number[] }; stages: Record<string, StageView>;
  error: DocumentError | null; epoch: string; version: number; uploaded_at: string; updated_at: string;
  completed_at: string | null;
}

/** A standalone job of /v1/jobs. */
export interface JobView {
  job_id: string; type: string; title: string; status: "running" | "stalled" | "completed" | "failed"; percent: number;
  message: Message; eta_seconds: { low: number; high: number } | null; error: DocumentError | null;
  epoch: string; version: number; started_at: string; updated_at: string; completed_at: string | null;
}

/** The documents of a batch together: what has ended counts whole, and at 100 nothing is left to wait for. */
export interface BatchProgress {
  status: "uploaded" | "processing" | "completed" | "failed" | "cancelled"; percent: number;
  total: number; done: number; failed: number; cancelled: number;
}

export type Target = { document_id: string } | { job_id: string } | { feed: "documents" } | { feed: "batch"; batch: string };

export interface StateOf<View> {
  target: Target; status: "waiting" | "live" | "deleted" | "error"; epoch: string | null; version: number;
  error: { code: string } | null; resync: boolean; document: View | null;
}

export type DocumentState = StateOf<DocumentView>;
export type JobState = StateOf<JobView>;

/** Rows of the feed are document views that may lack `stages` and `pages`. */
export type DocumentRow = Omit<DocumentView, "stages" | "pages"> & Partial<Pick<DocumentView, "stages" | "pages">>;

/** `progress` is of a batch, and null over long poll, which lists rows only. */
export interface FeedState {
  target: Target; status: "waiting" | "live" | "error"; epoch: string | null; version: number;
  error: { code: string } | null; resync: boolean; documents: Map<string, DocumentRow>; gone: Set<string>;
  progress: BatchProgress | null;
}

export type Connection = "websocket" | "sse" | "poll" | "offline";
export type Problem = "sign_in" | "forbidden" | "not_found" | "bad_frame";

/** Many live subscriptions over one connection; a "connection" event tells when `connection` or `problem` changes. */
export class PagestreamClient extends EventTarget {
  constructor(options: { base: string | URL; token?: string | null; random?: () => number });
  readonly base: string;
  readonly connection: Connection;
  readonly problem: Problem | null;
  /** Calls back at once and after each change; the answer ends the subscription. */
  subscribe(target: { document_id: string }, onState: (state: DocumentState) => void): () => void;
  subscribe(target: { job_id: string }, onState: (state: JobState) => void): () => void;
  subscribe(target: { feed: "documents" } | { feed: "batch"; batch: string }, onState: (state: FeedState) => void): () => void;
  wake(): void;
  close(): void;
}

/** One client per server and token. */
export function sharedClient(base: string | URL, token?: string | null): PagestreamClient;
