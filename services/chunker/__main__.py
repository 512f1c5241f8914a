"""Starts the chunk stage."""

from shared.harness.app import main

main("chunk", "services.chunker.handlers")
