"""Uploads: bodies are streamed into the blob store, deduplicated and recorded in the log."""
