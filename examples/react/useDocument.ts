// React hooks: the live state of one document, job or batch, over the connection that all of a page share.

import { useEffect, useState } from "react";
import { sharedClient, type DocumentState, type FeedState, type JobState } from "pagestream";

export function useDocument(base: string, documentId: string, token?: string): DocumentState | null {
  const [state, setState] = useState<DocumentState | null>(null);
  useEffect(
    () => sharedClient(base, token).subscribe({ document_id: documentId }, setState),
    [base, documentId, token],
  );
  return state;
}

export function useJob(base: string, jobId: string, token?: string): JobState | null {
  const [state, setState] = useState<JobState | null>(null);
  useEffect(() => sharedClient(base, token).subscribe({ job_id: jobId }, setState), [base, jobId, token]);
  return state;
}

export function useBatch(base: string, batch: string, token?: string): FeedState | null {
  const [state, setState] = useState<FeedState | null>(null);
  useEffect(() => sharedClient(base, token).subscribe({ feed: "batch", batch }, setState), [base, batch, token]);
  return state;
}
