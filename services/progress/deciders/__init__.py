"""Deciders: what the progress service does about documents that do not move, and what it cleans up."""
