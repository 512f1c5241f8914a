"""How much one key, and one address, may have in hand at the same time. Counted in this process alone."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Final, NamedTuple

from services.gateway.problems import Problem

Holders = tuple[str, ...]  # the names under which one request counts: its caller's and its address's

RETRY_AFTER: Final = 5  # seconds
_BURST_SECONDS: Final = 10  # of frames at once: pages that come back subscribe to all that they show
_REMEMBERED: Final = 10_000  # holders whose pace is known


def address_of(host: str) -> str:
    """The name under which a client's address counts: of IPv6 the network, for one client has all of its 2⁶⁴."""
    if ":" not in host:
        return host
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


class Allowance:
    """A token bucket: `burst` requests at once, then `per_second`."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float, cost: float = 1) -> bool:
        """Whether one more request, or one that costs as much as several, is allowed at `now` (seconds)."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        self._left -= cost
        return self._left >= 0


class Pace:
    """An allowance for each holder."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, holders: Holders, now: float) -> bool:
        """Whether one more request of all `holders` is allowed at `now`."""
        allowed = [self._of(holder).take(now) for holder in holders]  # each of them counts it
        return all(allowed)

    def _of(self, holder: str) -> Allowance:
        found = self._allowances.pop(holder, None) or Allowance(_BURST_SECONDS * self.per_second, self.per_second)
        self._allowances[holder] = found
        if len(self._allowances) > _REMEMBERED:
            self._allowances.popitem(last=False)
        return found


class Allotment:
    """Counts what each holder has of one thing, at most `limit`; `code` is the refusal of more."""

    def __init__(self, code: str, limit: int, *, retry_after: int = RETRY_AFTER) -> None:
        self._code = code
        self._limit = limit
        self._retry_after = retry_after
        self._held: Counter[str] = Counter()

    def take(self, holders: Holders, amount: int = 1) -> None:
        """Give each of `holders` `amount` more (or less, below zero). Raises Problem; then none of them has more."""
        if amount > 0 and any(self._held[holder] + amount > self._limit for holder in holders):
            raise Problem(self._code, limit=self._limit, retry_after=self._retry_after)
        for holder in holders:
            self._held[holder] += amount
            if not self._held[holder]:
                del self._held[holder]

    @contextmanager
    def one(self, holders: Holders) -> Iterator[None]:
        """One more while entered. Raises Problem."""
        self.take(holders)
        try:
            yield
        finally:
            self.take(holders, -1)


class BodyPace(NamedTuple):
    """How slow a body may be, in the time that we wait for it: bytes a second, and seconds in all."""

    bytes_per_second: float
    seconds: float


@dataclass(frozen=True)
class Limits:
    """The limits of one gateway."""

    waiting: Allotment  # connections on which no request is being answered
    connections: Allotment
    subscriptions: Allotment
    uploads: Allotment
    upload_bytes: Allotment
    frames: Pace
    requests: Pace  # over HTTP
    pace: BodyPace  # of a body

    def ask(self, holders: Holders, now: float) -> None:
        """Count one request of `holders` at `now`. Raises Problem("too_many_requests")."""
        if not self.requests.take(holders, now):
            raise Problem("too_many_requests", limit=self.requests.per_second, retry_after=1)

    @contextmanager
    def upload(self, holders: Holders, declared: int) -> Iterator[Callable[[int], None]]:
        """Hold an upload of `declared` bytes (0 where none are); what is yielded must be called with all that arrive.

        Raises Problem, also from what is yielded.
        """
        held = seen = 0

        def arrived(size: int) -> None:
            nonlocal held, seen
            seen += size
            if seen > held:
                self.upload_bytes.take(holders, seen - held)
                held = seen

        with self.uploads.one(holders):
            try:
                self.upload_bytes.take(holders, declared)
                held = declared
                yield arrived
            finally:
                self.upload_bytes.take(holders, -held)
