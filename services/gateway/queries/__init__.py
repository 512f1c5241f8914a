"""Queries on the projections and on what is derived from them. Nothing here writes."""
