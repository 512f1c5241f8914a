"""How long a program that died stays down before it is started again."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Doubles from `first` to `cap`; a life of `healthy_after` or longer starts over. All in seconds."""

    first: float = 0.5
    cap: float = 30.0
    healthy_after: float = 30.0

    def after(self, lived: float, previous: float | None) -> float:
        """The wait after a life of `lived` seconds; `previous` is the wait before that life, None for the first one."""
        if previous is None or lived >= self.healthy_after:
            return self.first
        return min(self.cap, previous * 2)
