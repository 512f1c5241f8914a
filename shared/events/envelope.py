"""The fields that every fact has."""

from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

# A fact raises the version of a view to the next multiple of this; the versions in between are ticks.
VERSIONS_PER_FACT: Final = 1_000_000


class Envelope(BaseModel):
    """`version` is the version of the fact's schema, `cause` the event it follows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: str
    type: str
    version: int = 1
    tenant: str
    cause: str | None = None
    at: AwareDatetime
    producer: str

    @property
    def key(self) -> str:
        """What it is about: facts of one key are in one partition, in order."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """The bytes of the record's value."""
        return self.model_dump_json(exclude_none=True).encode()
