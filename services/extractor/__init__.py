"""Finds what a document says: type, dates, amounts, parties, keywords, a summary."""
