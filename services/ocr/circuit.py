"""When an outside provider may be asked again: a circuit breaker that also minds the provider's own "not now".

Closed while things go well. Open for a moment after a failure, for longer after several in a row, and for as long as
the provider asks. Then one request tries: it closes the circuit, or opens it again.
"""

from dataclasses import dataclass


@dataclass
class Circuit:
    """One provider as one process, which asks one question at a time, knows it. Times in seconds of any clock."""

    failures_to_open: int
    open_seconds: float
    failures: int = 0  # in a row
    opens_until: float = 0.0

    def wait(self, now: float) -> float:
        """How long until the next request may be made; 0 = at once."""
        return max(0.0, self.opens_until - now)

    def succeeded(self) -> None:
        """An answer came."""
        self.failures = 0
        self.opens_until = 0.0

    def failed(self, now: float, retry_after: float | None = None, *, pause: float = 0.0) -> None:
        """No answer, or one that says "not now" and maybe until when; `pause` is the least to wait in any case."""
        self.failures += 1
        opened = self.open_seconds if self.failures >= self.failures_to_open else 0.0
        self.opens_until = now + max(pause, retry_after or 0.0, opened)
