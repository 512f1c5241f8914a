"""Starts the extract stage."""

from shared.harness.app import main

main("extract", "services.extractor.handlers")
