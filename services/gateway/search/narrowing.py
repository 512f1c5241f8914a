"""What a search may be narrowed to: a batch, tags, a kind of document, a time of upload."""

from datetime import datetime
from typing import Any, NamedTuple, Self


class Narrowing(NamedTuple):
    """Documents must have all of it; what is not asked for does not matter."""

    batch: str | None = None
    tags: tuple[str, ...] = ()
    kind: str | None = None  # what the extraction took the document for, such as "invoice"
    since: datetime | None = None  # of the upload
    until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether every document will do."""
        return self == Narrowing()

    def to_json(self) -> dict[str, Any]:
        """For another process."""
        times = {name: at.timestamp() if at else None for name, at in (("since", self.since), ("until", self.until))}
        return {"batch": self.batch, "tags": list(self.tags), "kind": self.kind, **times}

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """The reverse of `to_json`; times are in the machine's zone and name the same moments."""
        since, until = (
            datetime.fromtimestamp(at).astimezone() if at else None for at in (found["since"], found["until"])
        )
        return cls(found["batch"], tuple(found["tags"]), found["kind"], since, until)
