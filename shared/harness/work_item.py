"""A work item: one slice of one document, on its way from the coordinator to whichever worker is free."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.events.document import CONCLUDE, StageFact, utcnow

F = TypeVar("F", bound=StageFact)

_SHORT_SECONDS: Final = 0.25  # a third of a scanned page: what a letter takes in the stages after its OCR is less
_NAME: Final = 256  # characters of a name; no coordinator sends a longer name or a larger number
_MAX_NUMBER: Final = 2**31
MAX_LOSSES: Final = 3  # claims of one slice that ended without a word


class WorkItem(BaseModel):
    """What a worker must know to do a slice; `inputs` are the results of the earlier stages, by stage name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    document_id: str = Field(max_length=_NAME)
    tenant: str = Field(max_length=_NAME)
    stage: str = Field(max_length=_NAME)
    attempt: int = Field(ge=1, le=_MAX_NUMBER)
    plan: str | None = Field(max_length=_NAME)
    slice: int = Field(ge=CONCLUDE, le=_MAX_NUMBER)
    run: int = 0  # 1 + a person's retries when it was sent; 0 in items of before
    repeats: int = 0  # how often the stage was tried before in this run
    cause: str | None = None  # the fact that the coordinator sent it after
    opens: bool  # the first item of the attempt: the worker that claims it appends StageStarted
    inputs: dict[str, str]
    seconds: float = 0.0  # the expected work of one core
    missing: tuple[int, ...] = ()  # concluding only: the slices without a result

    @property
    def about(self) -> dict[str, Any]:
        """The fields that the lease of the work stores."""
        return self.model_dump(include={"document_id", "tenant", "stage", "attempt", "plan", "slice"})

    def is_stopped(self, shown: tuple[str, int] | None) -> bool:
        """Whether a person has stopped this work: `shown` is the status of the document and the run it speaks of.

        What was cancelled in an earlier run goes on in this one; what was deleted stays deleted.
        """
        status, run = shown or ("", 0)
        return status == "deleted" or (status in ("cancelling", "cancelled") and run >= self.run)

    @property
    def needs_core(self) -> bool:
        """Whether the work waits for a core of its own; what is done sooner than one gets free is simply done."""
        return self.seconds >= _SHORT_SECONDS

    @property
    def work_id(self) -> str:
        """The name of the work's lease."""
        return work_id(self.document_id, self.stage, self.attempt, self.plan, self.slice)

    @property
    def claim(self) -> str:
        """What a fact about this slice claims, as far as the slice itself goes."""
        return f"{self.stage}/{self.attempt}/{self.plan}/{self.slice}"


def work_id(document_id: str, stage: str, attempt: int, plan: str | None, number: int) -> str:
    """The name of the lease of one slice in one attempt."""
    return f"{document_id}/{stage}/{attempt}/{plan}/{number}"


def build_fact(kind: type[F], item: WorkItem, claim: str, **fields: Any) -> F:
    """A worker's fact about an item, now."""
    return kind.claim(
        document_id=item.document_id,
        claim=claim,
        tenant=item.tenant,
        cause=item.cause,
        at=utcnow(),
        producer=f"{item.stage}-worker",
        stage=item.stage,
        attempt=item.attempt,
        **fields,
    )
