"""How long to wait before coming back."""

from typing import Final

FIRST: Final = 0.25  # seconds
CAP: Final = 10.0  # seconds


def delay(attempt: int, draw: float) -> float:
    """Seconds before try `attempt` (0 = the first), exponential with full jitter; `draw` is uniform in [0, 1).

    Full jitter spreads the clients of a restarted gateway best (Brooker, "Exponential Backoff And Jitter", 2015).
    """
    return draw * float(min(CAP, FIRST * 2.0 ** min(attempt, 16)))
