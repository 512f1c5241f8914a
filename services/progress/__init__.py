"""Folds the log into projections and decides what happens when a document does not move."""
