"""The events of the log: documents, standalone jobs, and the envelope around each."""
