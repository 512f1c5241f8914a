"""When an outside provider may be asked again: a circuit breaker that also minds the provider's own "not now".

Closed while things go well. Open after several failures in a row, and for as long as the provider asks. Then one
request tries: it closes the circuit, or opens it again.
"""

from dataclasses import dataclass


@dataclass
class Circuit:
    """One provider as all who ask it know it. Times in seconds of any clock that they share."""

    failures_to_open: int
    open_seconds: float
    failures: int = 0  # in a row
    opens_until: float = 0.0

    def wait(self, now: float, *, trial: float) -> float:
        """How long until the next request may be made; 0 = at once.

        The caller that gets 0 after failures in a row tries: for `trial` seconds, or until it has an answer,
        all others wait.
        """
        left = max(0.0, self.opens_until - now)
        if left == 0 and self._is_tripped:
            self.opens_until = now + trial
        return left

    def succeeded(self) -> None:
        """An answer came. It may be to a question of before the provider said "not now", which still holds then."""
        if self._is_tripped:
            self.opens_until = 0.0
        self.failures = 0

    def failed(self, now: float, retry_after: float | None = None) -> None:
        """No answer, or a "not now", with the time of the next try where it is given."""
        self.failures += 1
        opened = self.open_seconds if self._is_tripped else 0.0
        until = now + max(retry_after or 0.0, opened)
        self.opens_until = until if self._is_tripped else max(self.opens_until, until)

    @property
    def _is_tripped(self) -> bool:
        return self.failures >= self.failures_to_open
