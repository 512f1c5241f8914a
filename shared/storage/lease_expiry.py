"""Who has been silent for long enough to be given up, while the one that is asked about them answers. Pure."""

from collections.abc import Hashable, Set
from typing import Final

GRACE: Final = 3.0  # seconds that a silent owner has to renew, counted while the database answers


class Silent:
    """What has been seen unchanged for GRACE seconds, in answers that were never far apart."""

    def __init__(self) -> None:
        self._first: dict[Hashable, float] = {}
        self._asked_at = 0.0

    def since(self, seen: Set[Hashable], now: float) -> Set[Hashable]:
        """Those of `seen` that every answer of the last GRACE seconds held. `now` is of a monotonic clock."""
        if now - self._asked_at > GRACE:  # the database was away, or no one called
            self._first = {}
        self._asked_at = now
        self._first = {key: self._first.get(key, now) for key in seen}
        return {key for key, first in self._first.items() if now - first >= GRACE}
