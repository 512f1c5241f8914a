"""What can be watched, whose it is, and how far it is. Pure."""

from typing import NamedTuple

from shared.events.standalone_job import is_job_id


class Position(NamedTuple):
    """How far a state is: versions are compared within an epoch, epochs only for equality."""

    epoch: str
    version: int


class Target(NamedTuple):
    """What can be watched. `kind` is "document", "job", "feed" or "batch"."""

    tenant: str
    kind: str
    name: str

    @classmethod
    def document(cls, tenant: str, document_id: str) -> "Target":
        """One document."""
        return cls(tenant, "document", document_id)

    @classmethod
    def job(cls, tenant: str, job_id: str) -> "Target":
        """One standalone job."""
        return cls(tenant, "job", job_id)

    @classmethod
    def of_key(cls, tenant: str, key: str) -> "Target":
        """Whatever an id of the log names."""
        return cls(tenant, "job" if is_job_id(key) else "document", key)

    @classmethod
    def of_feed(cls, tenant: str, feed: str = "documents") -> "Target":
        """All documents of the tenant, as rows."""
        return cls(tenant, "feed", feed)

    @classmethod
    def of_batch(cls, tenant: str, batch: str) -> "Target":
        """The documents of one batch, as rows, and how far they are together."""
        return cls(tenant, "batch", batch)

    @property
    def is_feed(self) -> bool:
        """Whether it is about many documents, as rows."""
        return self.kind in ("feed", "batch")

    @property
    def about(self) -> dict[str, str]:
        """How frames name it."""
        if self.kind == "batch":
            return {"feed": "batch", "batch": self.name}
        return {"feed" if self.is_feed else f"{self.kind}_id": self.name}


class DocumentKey(NamedTuple):
    """A document, or a standalone job, as seen by one tenant."""

    tenant: str
    document_id: str


class Standing(NamedTuple):
    """How far one document is; `status` is None when it was deleted."""

    version: int
    status: str | None
    percent: float
