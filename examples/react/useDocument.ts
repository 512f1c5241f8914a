// A React hook: the live state of one document, over the connection that all of a page share.

import { useEffect, useState } from "react";
import { sharedClient, type DocumentState } from "pagestream";

export function useDocument(base: string, documentId: string, token?: string): DocumentState | null {
  const [state, setState] = useState<DocumentState | null>(null);
  useEffect(
    () => sharedClient(base, token).subscribe({ document_id: documentId }, setState),
    [base, documentId, token],
  );
  return state;
}
