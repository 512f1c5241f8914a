"""One document as one stage sees it, and what may be decided about it. Pure.

The log is folded by the same `shared.document.state` as the projection, so the two never disagree about what counts; an
`Assignment` is that state as one stage looks at it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from shared.document import state as documents
from shared.document.stage_state import StageState
from shared.document.state import MOVING, DocumentState
from shared.events.document import CONCLUDE, PLAN, Fact, Failure
from shared.harness.work_item import WorkItem

SHORT: Final = 0.01  # seconds: what planning and concluding count as


class Assignment(Struct, frozen=True):
    """A document's state for one stage; `offset` is the last fact in the document's partition that is in here."""

    state: DocumentState
    stage: str
    offset: int = -1

    @property
    def document_id(self) -> str:
        """The document."""
        return self.state.document_id

    @property
    def tenant(self) -> str:
        """Whose document it is."""
        return self.state.tenant

    @property
    def stage_state(self) -> StageState:
        """Where this stage stands."""
        return self.state.stages[self.stage]

    @property
    def inputs(self) -> Mapping[str, str]:
        """The results of the earlier stages, by stage."""
        return self.state.inputs(self.stage)

    @property
    def active(self) -> bool:
        """Whether there may be something to send or to say."""
        return self.state.status in MOVING and self.stage_state.open and self.state.is_turn_of(self.stage)

    @property
    def missing(self) -> tuple[int, ...]:
        """The slices without a result."""
        return tuple(n for n in range(self.stage_state.slices) if not self.stage_state.has(n))

    def outstanding(self) -> Iterable[int]:
        """The slice numbers that have neither a result nor a failure in this attempt, in order."""
        stage_state = self.stage_state
        if stage_state.plan is None:
            yield from (number for number in (PLAN,) if number not in stage_state.failed)
            return
        failed = sum(1 << number for number in stage_state.failed if number >= 0)
        left = ~(stage_state.done | failed) & ((1 << stage_state.slices) - 1)
        if not left and stage_state.done and CONCLUDE not in stage_state.failed:
            yield CONCLUDE
        while left:
            lowest = left & -left
            yield lowest.bit_length() - 1
            left ^= lowest


class Send(NamedTuple):
    """Put this slice of this document on the stage's topic."""

    assignment: Assignment
    slice: int


class GiveUp(NamedTuple):
    """This attempt of the stage has ended without a result."""

    assignment: Assignment
    error: Failure
    final: bool


class SetAside(NamedTuple):
    """Nothing can be decided about this document: its state is not as this code expects."""

    assignment: Assignment
    error: Exception


Decision = Send | GiveUp | SetAside


def evolve(before: Assignment | None, fact: Fact, stage: str) -> Assignment | None:
    """The assignment after `fact`; None while the document is unknown or does not run through `stage`."""
    state = documents.evolve(before.state if before else None, fact)
    if state is None or stage not in state.stages:
        return None
    if before is None:
        return Assignment(state, stage)
    return before if state is before.state else replace(before, state=state)


def cost(assignment: Assignment) -> float:
    """The expected seconds of one slice; what is not planned yet costs next to nothing."""
    return assignment.stage_state.weight / assignment.stage_state.slices if assignment.stage_state.slices else SHORT


def work_item(assignment: Assignment, number: int) -> WorkItem:
    """The work item that asks a worker for slice `number` of `assignment`."""
    stage = assignment.stage_state
    return WorkItem(
        document_id=assignment.document_id,
        tenant=assignment.tenant,
        stage=assignment.stage,
        attempt=stage.attempt,
        plan=stage.plan,
        slice=number,
        run=assignment.state.run,
        repeats=stage.attempt - stage.first_attempt,
        cause=assignment.state.last_event,
        opens=stage.started_at is None,
        inputs=dict(assignment.inputs),
        seconds=cost(assignment) if number >= 0 else 0.0,
        missing=assignment.missing if number == CONCLUDE else (),
    )
