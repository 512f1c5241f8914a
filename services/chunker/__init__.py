"""Cuts a document's text into chunks and gives each a vector."""
