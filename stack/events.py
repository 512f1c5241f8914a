"""The events that the stack sends its watcher (the command line) while it starts, runs and stops."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Downloading:
    """`done` of `total` bytes are here; told again and again, the last time with both equal."""

    name: str
    done: int
    total: int


@dataclass(frozen=True)
class Starting:
    """A program is started or an address is tried; `provider` names it for people."""

    name: str
    provider: str


@dataclass(frozen=True)
class Ready:
    """It answers, `seconds` after it was started."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Died:
    """It ended by itself: `code` as in `Popen.returncode`, `tail` the last lines of its log in this life."""

    name: str
    code: int
    restart_in: float  # seconds
    tail: tuple[str, ...]


@dataclass(frozen=True)
class Stopping:
    """It was asked to end."""

    name: str


@dataclass(frozen=True)
class Stopped:
    """It is gone with all its children; `killed` if it had to be."""

    name: str
    seconds: float
    killed: bool


Event = Downloading | Starting | Ready | Died | Stopping | Stopped
OnEvent = Callable[[Event], None]  # called on the event loop's thread; must not block
