"""Rebuilds: a new generation is built from the log, compared with the live one, and swapped in."""
