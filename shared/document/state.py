"""The fold of one document's facts. Pure and total; the settled part of every document view.

`evolve` is a function of the log alone: no clock, no I/O. A fact that is not about the current attempt and plan, or
that comes too late, changes nothing; every such case is written out, so that ignoring it is a decision. All
deciders (policy, sweeper, every coordinator) decide on this state, so they cannot disagree on it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, assert_never

from msgspec import Struct
from msgspec.structs import replace

from shared.document import stage_state as stage_fold
from shared.document.stage_state import StageState
from shared.events.document import (
    CancelRequested,
    DocumentCancelled,
    DocumentCompleted,
    DocumentDeleted,
    DocumentErased,
    DocumentUploaded,
    Fact,
    OfStage,
    RetryRequested,
    StageCompleted,
    StageFact,
)
from shared.events.envelope import VERSIONS_PER_FACT

Status = Literal[
    "uploaded", "processing", "retrying", "processed", "completed", "failed", "cancelling", "cancelled", "deleted"
]

_REQUESTS: Final = 200  # kept to recognise a request that arrives twice; a repetition comes within a day
RESULT_MISSING: Final = "result_missing"
TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
ALMOST: Final = 99.9  # percent, the limit until the document is completed: only DocumentCompleted sets 100
MOVING: Final = frozenset({"uploaded", "processing", "retrying"})


class DocumentState(Struct, frozen=True):
    """What is settled about one document. `facts` counts the facts that changed it; `run` is 1 + a person's retries."""

    document_id: str
    tenant: str
    size: int
    media_type: str
    stages: Mapping[str, StageState]
    uploaded_at: datetime
    updated_at: datetime
    status: Status = "uploaded"
    run: int = 1
    facts: int = 1
    last_event: str = ""  # the last fact that changed the state: the cause of whatever is decided on it
    completed_at: datetime | None = None
    failed_stage: str | None = None
    cancel_too_late: bool = False
    erased: bool = False  # deleted, and nothing of it is stored any more
    requests: tuple[str, ...] = ()  # the people's latest retries and cancels that were taken up, by event id

    @property
    def version(self) -> int:
        """The version at rest; ticks add to it."""
        return self.facts * VERSIONS_PER_FACT

    @property
    def partial(self) -> bool:
        """Whether some result lacks slices."""
        return any(stage.partial for stage in self.stages.values())

    def before(self, stage: str) -> StageState | None:
        """The stage before `stage`, None for the first."""
        names = list(self.stages)
        place = names.index(stage)
        return self.stages[names[place - 1]] if place else None

    def inputs(self, stage: str) -> dict[str, str]:
        """The results of the stages before `stage`, by name, as far as there are any."""
        names = list(self.stages)
        earlier = (self.stages[name] for name in names[: names.index(stage)])
        return {stage_state.stage: stage_state.result for stage_state in earlier if stage_state.result}

    def is_turn_of(self, stage: str) -> bool:
        """Whether every stage before `stage` is done: only then it may begin or go on."""
        for name, stage_state in self.stages.items():
            if name == stage:
                return True
            if stage_state.status != "completed":
                return False
        raise KeyError(stage)


def evolve(state: DocumentState | None, fact: Fact) -> DocumentState | None:
    """The state after `fact`; the same object where the fact changes nothing. None before the upload."""
    if state is None:
        return _uploaded(fact) if isinstance(fact, DocumentUploaded) else None
    after = _document(state, fact)
    if after is state:
        return state
    return replace(
        after,
        facts=state.facts + 1,
        last_event=fact.event_id,
        updated_at=max(state.updated_at, fact.at),  # clocks differ
    )


def _uploaded(fact: DocumentUploaded) -> DocumentState:
    return DocumentState(
        document_id=fact.document_id,
        tenant=fact.tenant,
        size=fact.size,
        media_type=fact.media_type,
        stages={line.stage: StageState(line.stage, line.weight) for line in fact.pipeline},
        uploaded_at=fact.at,
        updated_at=fact.at,
        last_event=fact.event_id,
    )


def _document(state: DocumentState, fact: Fact) -> DocumentState:
    if state.status == "deleted":  # everything after it changes nothing but whether it is erased
        return replace(state, erased=True) if isinstance(fact, DocumentErased) and not state.erased else state
    match fact:
        case StageFact():  # first, for most facts are about stages
            return state if state.status in TERMINAL else _stage(state, fact)
        case DocumentDeleted():
            return replace(state, status="deleted")
        case DocumentUploaded() | DocumentErased():
            return state
        case RetryRequested():
            return _retried(state, fact)
        case _ if state.status in TERMINAL:
            return state
        case CancelRequested():
            return _cancelling(state, fact)
        case DocumentCancelled():
            return _cancelled(state, fact) if state.status == "cancelling" and fact.run == state.run else state
        case DocumentCompleted():
            return _completed(state, fact)
        case unreachable:
            assert_never(unreachable)


def _is_lost(state: DocumentState, stage: str) -> bool:
    """Whether a later stage failed because a result before it is gone or damaged, which may be this stage's."""
    names = list(state.stages)
    later = [state.stages[name] for name in names[names.index(stage) + 1 :]]
    errors = [stage_state.error for stage_state in later if stage_state.status == "failed"]
    return any(error is not None and error.code == RESULT_MISSING for error in errors)


def _retried(state: DocumentState, fact: RetryRequested) -> DocumentState:
    reopens = state.status in ("failed", "cancelled") or (state.status == "completed" and state.partial)
    if not reopens or fact.event_id in state.requests:
        return state
    stages = {}
    for stage, stage_state in state.stages.items():
        before = state.before(stage)
        stages[stage] = stage_fold.reopen(
            stage_state, had_input=before is None or before.status == "completed", lost=_is_lost(state, stage)
        )
    whole = all(
        stage.status == "completed" for stage in stages.values()
    )  # it was stopped after the last stage had ended
    return replace(
        state,
        status="processed" if whole else "processing",
        run=state.run + 1,
        stages=stages,
        requests=_remembered(state, fact),
        completed_at=None,
        failed_stage=None,
        cancel_too_late=False,
    )


def _remembered(state: DocumentState, fact: RetryRequested | CancelRequested) -> tuple[str, ...]:
    return (*state.requests, fact.event_id)[-_REQUESTS:]


def _cancelling(state: DocumentState, fact: CancelRequested) -> DocumentState:
    if state.status == "cancelling" or fact.event_id in state.requests:
        return state  # asked for already, or said again after a retry
    return replace(state, status="cancelling", requests=_remembered(state, fact))


def _cancelled(state: DocumentState, fact: DocumentCancelled) -> DocumentState:
    stages = {
        stage: stage_state
        if stage_state.status in ("completed", "failed")
        else replace(stage_state, status="cancelled", due_at=None)
        for stage, stage_state in state.stages.items()
    }
    return replace(state, status="cancelled", stages=stages, completed_at=fact.at)


def _completed(state: DocumentState, fact: DocumentCompleted) -> DocumentState:
    done = all(stage.status == "completed" for stage in state.stages.values())
    if fact.run != state.run or not done:
        return state
    return replace(state, status="completed", completed_at=fact.at, cancel_too_late=state.status == "cancelling")


def _stage(state: DocumentState, fact: OfStage) -> DocumentState:
    stage_state = state.stages.get(fact.stage)
    if stage_state is None:
        return state  # a stage that is not in this document's pipeline
    before = state.before(fact.stage)
    after = stage_fold.evolve(stage_state, fact, run=state.run, input_now=before.result if before else None)
    if after is stage_state:
        return state
    state = replace(state, stages={**state.stages, fact.stage: after})
    if isinstance(fact, StageCompleted):
        state = _input_changed(state, fact.stage)
    return state if after.status == stage_state.status else _status(state, after)


def _input_changed(state: DocumentState, stage: str) -> DocumentState:
    """The stage after `stage` is wanted again if it worked on another result; those behind it follow in their turn."""
    names = list(state.stages)
    for name in names[names.index(stage) + 1 :][:1]:
        stage_state = state.stages[name]
        if stage_state.plan is not None and stage_state.planned_from != state.stages[stage].result:
            return replace(state, stages={**state.stages, name: stage_fold.want(stage_state)})
    return state


def _status(state: DocumentState, changed: StageState) -> DocumentState:
    if state.status == "cancelling":
        return state  # what is done is kept, and it is still cancelling
    statuses = {stage.status for stage in state.stages.values()}
    if changed.status == "failed":
        return replace(state, status="failed", failed_stage=changed.stage, completed_at=changed.completed_at)
    if statuses == {"completed"}:
        return replace(state, status="processed")
    return replace(state, status="retrying" if "retrying" in statuses else "processing")
