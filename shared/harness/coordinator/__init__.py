"""The coordinator of a stage: decides which slices of which documents are worked on next."""
