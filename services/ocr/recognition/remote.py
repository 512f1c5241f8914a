"""The engine that asks an outside OCR service: again with jitter, never before it said, and not while it is down."""

import random
import time
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image

from services.ocr.pages import Line
from services.ocr.recognition.provider import NotNow, Provider
from services.ocr.recognition.reading import Reader
from services.ocr.recognition.shared_circuit import Outages
from shared.errors import Rejected, Transient
from shared.harness.contract import Task, Tick

WAITING: Final = "ocr.waiting_for_provider"

_FIRST_PAUSE: Final = 0.5  # seconds at most, doubled each time
_LONGEST_PAUSE: Final = 8.0
_LOOK_SECONDS: Final = 1.0  # between two signs of life while waiting


@dataclass(frozen=True)
class Remote:
    """A provider, the operator's name for what it reads with, and how long (seconds) one picture may take in all."""

    provider: Provider
    model: str
    patience: float

    def identity(self) -> str:
        """The address and the model."""
        return f"http {self.provider.url} {self.model}"

    def check(self, languages: tuple[str, ...]) -> None:
        """Nothing is known of the provider's languages: it refuses a page that it does not read."""

    def block_reader(self, task: Task, languages: tuple[str, ...]) -> None:
        """The provider decides by itself how a page is laid out."""

    def reader(self, task: Task, languages: tuple[str, ...]) -> Reader:
        """Posts pictures; another child uses the core meanwhile."""

        def read(picture: Image.Image) -> tuple[Line, ...]:
            png = BytesIO()
            picture.save(png, "PNG", compress_level=1)
            with task.waiting():
                outages = Outages(task.machine, self.provider.url)
                return self._ask(png.getvalue(), "+".join(languages), outages, task.tick)

        return read

    def _ask(self, png: bytes, languages: str, outages: Outages, tick: Tick) -> tuple[Line, ...]:
        end, pause, not_before = time.monotonic() + self.patience, _FIRST_PAUSE, 0.0
        detail = "it asked us to wait, or failed too often"
        while True:
            self._wait(outages, not_before, end, detail, tick)
            try:
                lines = self.provider.ask(png, languages)
            except Rejected:
                outages.succeeded()
                raise
            except NotNow as error:
                detail = error.detail
                outages.failed(error.retry_after)
                not_before = time.monotonic() + random.uniform(0, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                outages.succeeded()
                return lines

    def _wait(self, outages: Outages, not_before: float, end: float, detail: str, tick: Tick) -> None:
        """Until this page may ask (`not_before`) and the machine may."""
        while left := max(0.0, not_before - time.monotonic()) or outages.wait(trial=self.provider.seconds):
            if time.monotonic() + left > end:
                raise Transient("provider_unavailable", retry_after=left, provider=self.provider.host, detail=detail)
            tick(WAITING, provider=self.provider.host, seconds=round(left))
            time.sleep(min(left, _LOOK_SECONDS))
