"""Concurrency: work that is shared or bounded, whatever the work is. Knows nothing of documents."""
