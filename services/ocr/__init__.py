"""Reads pages: text layers where they are text, Tesseract where they are pictures."""
