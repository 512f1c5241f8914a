"""Starts the ocr stage."""

from shared.harness.app import main

main("ocr", "services.ocr.handlers")
