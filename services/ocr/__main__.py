"""Starts the ocr stage."""

from services.ocr.settings import OcrSettings
from shared.harness.app import main
from shared.runtime.settings import read

settings = read(OcrSettings)
main("ocr", "services.ocr.handlers", slots=settings.http_pages if settings.engine == "http" else None)
