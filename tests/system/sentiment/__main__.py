"""Starts the sentiment stage."""

from shared.harness.app import main

main("sentiment", "services.sentiment.handlers")
