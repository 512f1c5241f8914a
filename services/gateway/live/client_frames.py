"""What a client may say on a socket: subscribe and unsubscribe."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from services.gateway.problems import Problem
from services.gateway.targets import Position, Target

MAX_BYTES: Final = 16 * 1024  # of one frame; the largest sensible one has 300


_Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # more no answer can hold


class _About(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    ref: Annotated[_Number | str | None, Field(union_mode="left_to_right")] = None
    document_id: Annotated[str, Field(max_length=64)] | None = None
    job_id: Annotated[str, Field(max_length=64)] | None = None
    feed: Annotated[str, Field(max_length=64)] | None = None
    batch: Annotated[str, Field(min_length=1, max_length=100)] | None = None  # with the feed "batch"

    @model_validator(mode="after")
    def _one_target(self) -> "_About":
        if [self.document_id, self.job_id, self.feed].count(None) != 2:
            raise ValueError("it must name exactly one: a document_id, a job_id or a feed")
        if self.feed == "batch" and not self.batch:
            raise ValueError("the feed batch needs the name of a batch")
        return self

    def target(self, tenant: str) -> Target:
        """What it is about, as seen by `tenant`."""
        if self.document_id is not None:
            return Target.document(tenant, self.document_id)
        if self.job_id is not None:
            return Target.job(tenant, self.job_id)
        if self.feed == "batch" and self.batch:
            return Target.of_batch(tenant, self.batch)
        return Target.of_feed(tenant, self.feed or "")


class _Have(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    epoch: Annotated[str, Field(max_length=64)]
    version: int


class Subscribe(_About):
    """Send a snapshot, then every change; `have` names what the client holds already."""

    op: Literal["subscribe"]
    have: _Have | None = None

    @property
    def position(self) -> Position | None:
        """Where the client stopped."""
        return Position(self.have.epoch, self.have.version) if self.have else None


class Unsubscribe(_About):
    """Send no more of this."""

    op: Literal["unsubscribe"]


_FIELDS: Final = frozenset({*Subscribe.model_fields, *_Have.model_fields})

Request = Subscribe | Unsubscribe
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="op")])


def parse(data: str | bytes) -> Request:
    """The request in a frame. Raises Problem("bad_frame")."""
    if isinstance(data, bytes):
        raise Problem("bad_frame", detail="it is binary, not text")
    if len(data) > MAX_BYTES:
        raise Problem("bad_frame", detail=f"it is longer than {MAX_BYTES} characters")
    try:
        return _REQUEST.validate_json(data)
    except ValidationError as refused:
        raise Problem("bad_frame", detail=_why(refused.errors()[0])) from None


def _why(error: ErrorDetails) -> str:
    """What is wrong with a frame, in words that its sender knows."""
    match error["type"]:
        case "json_invalid":
            return "it is no JSON"
        case "union_tag_invalid" | "union_tag_not_found":
            return "its op must be subscribe or unsubscribe"
        case "value_error":
            return str(error["ctx"]["error"])
    names = [str(part) for part in error["loc"][1:] if part in _FIELDS]
    return f"{'.'.join(names)}: {error['msg'].lower()}" if names else "it is no JSON object"
