"""How much work others of its tenant were given since each document had its last place. Pure."""

from collections.abc import Iterator, Mapping


class FairTurns(Mapping[str, float]):
    """Seconds of work, by document; read by `decide` as `passed`."""

    def __init__(self) -> None:
        self._seconds_given: dict[str, float] = {}  # seconds of work, by tenant
        self._since: dict[str, tuple[str, float]] = {}  # tenant, and what it had been given when this one had its place

    def begin(self, document_id: str, tenant: str) -> None:
        """The document waits from now on; nothing where it does already."""
        self._since.setdefault(document_id, (tenant, self._seconds_given.get(tenant, 0.0)))

    def give(self, document_id: str, tenant: str, seconds: float) -> None:
        """The document gets a place for a slice of so many seconds."""
        self._seconds_given[tenant] = self._seconds_given.get(tenant, 0.0) + seconds
        self._since[document_id] = (tenant, self._seconds_given[tenant])

    def forget(self, document_id: str) -> None:
        """The document waits for nothing more."""
        self._since.pop(document_id, None)

    def __getitem__(self, document_id: str) -> float:
        tenant, since = self._since[document_id]
        return self._seconds_given.get(tenant, 0.0) - since

    def __iter__(self) -> Iterator[str]:
        return iter(self._since)

    def __len__(self) -> int:
        return len(self._since)
