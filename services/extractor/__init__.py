"""Extracts fields of a document: type, dates, amounts, parties, keywords, a summary."""
