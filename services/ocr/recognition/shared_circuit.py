"""What the children of a machine know of a provider together: its circuit, in a small file under a lock."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson

from services.ocr.recognition.circuit_breaker import Circuit

FAILURES_TO_OPEN: Final = 5
OPEN_SECONDS: Final = 15.0
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Outages:
    """The circuit of the provider at `url`, the same for all processes that name the same `folder`.

    Times are of the monotonic clock, which all processes share until the machine starts again; what was written before
    that counts for nothing. No process holds the lock while asking.
    """

    folder: Path
    url: str

    def wait(self, *, trial: float) -> float:
        """As `Circuit.wait`."""
        with self._circuit() as circuit:
            return circuit.wait(time.monotonic(), trial=trial)

    def succeeded(self) -> None:
        """As `Circuit.succeeded`."""
        with self._circuit() as circuit:
            circuit.succeeded()

    def failed(self, retry_after: float | None) -> None:
        """As `Circuit.failed`."""
        with self._circuit() as circuit:
            circuit.failed(time.monotonic(), retry_after)

    @contextmanager
    def _circuit(self) -> Iterator[Circuit]:
        """The circuit as it stands; what the body changes is written."""
        boot = _BOOT.read_text().strip()
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"circuit-{sha256(self.url.encode()).hexdigest()[:16]}"
        with (self.folder / name).open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # closing the file frees it, also when the process is killed
            file.seek(0)
            circuit = Circuit(FAILURES_TO_OPEN, OPEN_SECONDS, *_known(file.read(), boot))
            yield circuit
            file.truncate(0)
            file.write(orjson.dumps([boot, circuit.failures, circuit.opens_until]))


def _known(written: bytes, boot: str) -> tuple[int, float]:
    """Failures in a row, and until when the circuit is open; nothing where none has written since the start."""
    try:
        said, failures, opens_until = orjson.loads(written)
    except ValueError:  # nothing yet, or a writer was killed between its two steps
        return 0, 0.0
    return (int(failures), float(opens_until)) if said == boot else (0, 0.0)
