"""Projecting: the loop that folds the log, its checkpoint, and the states it keeps."""
