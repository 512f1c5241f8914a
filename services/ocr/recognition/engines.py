"""The port of the engines, and which one the settings choose."""

from typing import Protocol

from services.ocr.recognition.provider import Provider
from services.ocr.recognition.reading import Reader
from services.ocr.recognition.remote import Remote
from services.ocr.recognition.tesseract import Tesseract
from services.ocr.settings import OcrSettings
from shared.harness.contract import Task


class Engine(Protocol):
    """Reads pictures. Raises Transient(provider_unavailable) where it cannot be reached."""

    def identity(self) -> str:
        """Program, version and settings: whatever of it shapes a result."""

    def check(self, languages: tuple[str, ...]) -> None:
        """Raises Rejected(language_not_installed) for the first that it is known not to read."""

    def reader(self, task: Task, languages: tuple[str, ...]) -> Reader:
        """What reads the pictures of the task.

        It raises Transient (timeout, crashed, provider_unavailable) and Rejected (provider_refused).
        """

    def block_reader(self, task: Task, languages: tuple[str, ...]) -> Reader | None:
        """One that takes a picture for one block of text; None where the engine has no such way."""


def chosen_by(settings: OcrSettings) -> Engine:
    """The engine of the settings."""
    if settings.engine == "http":
        provider = Provider(settings.http_url, settings.http_key.get_secret_value(), settings.http_seconds)
        return Remote(provider, settings.http_model, settings.http_patience_seconds)
    return Tesseract(settings.tesseract, settings.tessdata, settings.page_seconds)
