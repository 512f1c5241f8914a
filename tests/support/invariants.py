"""What must hold of a system at rest, whatever happened to it: pure comparisons over one observation.

The log is folded here from offset 0 with nothing but `evolve`; everything else is held against that. I4 (what one
connection is shown) and I7 (tenants) need a connection and are checked where there is one, see `watching`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from shared.document import codec
from shared.document.state import TERMINAL, DocumentState, evolve
from shared.events.document import DocumentUploaded, Fact, SliceCompleted

Row = Mapping[str, Any]
Positions = Mapping[str, int]  # "topic-partition" -> the next offset

# When, who, why and what stands behind it in the log say nothing of what happened.
_NO_CLAIM: Final = frozenset({"at", "producer", "cause", "due_at", "error", "followed_by"})
_DOCUMENTS: Final = "documents"


class Logged(NamedTuple):
    """A fact and its place in the log."""

    partition: int
    offset: int
    fact: Fact


class Violation(NamedTuple):
    """What is wrong with whom."""

    invariant: str  # "I1" … "I8"
    subject: str  # a document, a fold, a process
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.sentence}"


@dataclass(frozen=True)
class Observation:
    """One look at everything. Rows are those of the live generation, by id; `log` is in the order of each partition."""

    log: Sequence[Logged] = ()
    ends: Positions = field(default_factory=dict)
    checkpoints: Mapping[str, Positions] = field(default_factory=dict)  # by fold: "progress", "coordinator/<stage>"
    documents: Mapping[str, Row] = field(default_factory=dict)
    jobs: Mapping[str, Row] = field(default_factory=dict)
    timeline: Mapping[str, Row] = field(default_factory=dict)
    coordinators: Mapping[str, Mapping[str, Row]] = field(default_factory=dict)  # by stage
    chunks: Mapping[str, Sequence[str]] = field(default_factory=dict)  # the texts in order, by document
    extractions: Mapping[str, Row] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)  # by name; None where the blob is missing or damaged
    leases: Sequence[Row] = ()
    group_lags: Mapping[str, int] = field(default_factory=dict)
    halted: Mapping[str, str] = field(default_factory=dict)  # the reason, by fold; also of facts nobody knows
    strays: Sequence[str] = ()  # processes without a parent of ours, in words
    folders: Sequence[str] = ()  # temporary folders of dead processes


def violations(seen: Observation, acknowledged: Collection[str] = ()) -> list[Violation]:
    """Everything that does not hold, invariant by invariant; `acknowledged` are ids of documents or of events."""
    states = fold(seen.log)
    return [
        *_ended(seen, states),
        *_said(seen, acknowledged),
        *_projected(seen, states),
        *_covered(seen),
        *_left(seen, states),
        *_behind(seen),
    ]


def fold(log: Sequence[Logged]) -> dict[str, DocumentState]:
    """The state of every document that was uploaded."""
    states: dict[str, DocumentState] = {}
    for logged in log:
        state = evolve(states.get(logged.fact.document_id), logged.fact)
        if state is not None:
            states[logged.fact.document_id] = state
    return states


def _ended(seen: Observation, states: Mapping[str, DocumentState]) -> Iterator[Violation]:
    for document_id, state in states.items():
        if state.status not in TERMINAL and not (state.status == "deleted" and state.erased):
            yield Violation("I1", document_id, f"has not come to an end, it is {state.status}")
        row = seen.documents.get(document_id)
        if row and row["view"]["status"] != state.status:
            yield Violation("I1", document_id, f"is {state.status} in the log and shown as {row['view']['status']}")


def _said(seen: Observation, acknowledged: Collection[str]) -> Iterator[Violation]:
    first: dict[str, Fact] = {}
    for _, _, fact in seen.log:
        said = first.setdefault(fact.event_id, fact)
        if differing := [n for n, value in _claim(fact).items() if _claim(said).get(n) != value]:
            yield Violation(
                "I2", fact.document_id, f"{fact.type} {fact.event_id} is said twice, not alike: {differing}"
            )
    uploaded = {fact.document_id for fact in first.values() if isinstance(fact, DocumentUploaded)}
    for name in sorted(set(acknowledged) - first.keys() - uploaded):
        yield Violation("I2", name, "was acknowledged and is not in the log")


def _claim(fact: Fact) -> Mapping[str, Any]:
    """What the fact's id stands for. A slice that is done is done in whichever attempt it is said again."""
    no_claim = _NO_CLAIM | {"attempt"} if isinstance(fact, SliceCompleted) else _NO_CLAIM
    return {name: value for name, value in fact.model_dump().items() if name not in no_claim}


def _projected(seen: Observation, states: Mapping[str, DocumentState]) -> Iterator[Violation]:
    for document_id in sorted(states.keys() | seen.documents.keys()):
        state, row = states.get(document_id), seen.documents.get(document_id)
        if state is None or row is None:
            yield Violation("I3", document_id, "is in the " + ("projection" if row else "log") + " only")
            continue
        stored = codec.from_row(row["settled"])
        if wrong := [name for name in state.__struct_fields__ if getattr(state, name) != getattr(stored, name)]:
            told = "; ".join(f"{n} is {getattr(stored, n)!r}, not {getattr(state, n)!r}" for n in wrong)
            yield Violation("I3", document_id, told[:600])
        yield from _results(seen, state, row)
    yield from _compared("processing_jobs", seen.jobs, _jobs(states))
    yield from _compared("timeline", seen.timeline, _timeline(seen.log, states))


def _jobs(states: Mapping[str, DocumentState]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for document_id, state in states.items():
        for stage, stage_state in state.stages.items() if state.status != "deleted" else ():
            rows[f"{document_id}/{stage}"] = {
                "document_id": document_id,
                "type": stage,
                "status": stage_state.status,
                "attempt": stage_state.attempt,
                "started_at": stage_state.started_at,
                "completed_at": stage_state.completed_at,
            }
    return rows


def _timeline(log: Sequence[Logged], states: Mapping[str, DocumentState]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    so_far: dict[str, DocumentState] = {}
    for _, offset, fact in log:
        state = evolve(so_far.get(fact.document_id), fact)
        if state is None:
            continue
        so_far[fact.document_id] = state
        if states[fact.document_id].status != "deleted":
            row = {"document_id": fact.document_id, "type": fact.type, "at": fact.at}
            rows.setdefault(f"{fact.document_id}/{fact.event_id}", {**row, "version": state.version, "offset": offset})
    return rows


def _compared(name: str, found: Mapping[str, Row], wanted: Mapping[str, Row]) -> Iterator[Violation]:
    for i in sorted(found.keys() | wanted.keys()):
        if i not in found:
            yield Violation("I3", wanted[i]["document_id"], f"{name} lacks {i}")
        elif i not in wanted:
            yield Violation("I3", found[i]["document_id"], f"{name} has {i}, which does not follow from the log")
        else:
            for column, value in wanted[i].items():
                if found[i][column] != value and (column, found[i][column]) != ("status", "stalled"):
                    told = f"{column} of {i} is {found[i][column]!r}, not {value!r}"
                    yield Violation("I3", wanted[i]["document_id"], f"{name}: {told}")


def _results(seen: Observation, state: DocumentState, row: Row) -> Iterator[Violation]:
    """What readers of a completed document are given is what its stages concluded, or they are told why not."""
    if state.status != "completed":
        return
    for stage in ("chunk", "extract"):
        stage_state = state.stages.get(stage)
        if stage_state is None or stage_state.result is None:
            continue
        result = seen.results.get(stage_state.result)
        if result is None:
            if stage not in row.get("faults", {}):
                yield Violation("I3", state.document_id, f"the result of {stage} is lost and readers are not told")
        elif stage == "chunk" and list(seen.chunks.get(state.document_id, ())) != [c["text"] for c in result["chunks"]]:
            yield Violation("I3", state.document_id, "chunks differ from what was concluded")
        elif stage == "extract" and not _holds(seen.extractions.get(state.document_id), result, stage_state.result):
            yield Violation("I3", state.document_id, "the extraction differs from what was concluded")


def _holds(row: Row | None, result: Row, name: str) -> bool:
    """Whether a row is the result `name`, or all of it but the findings, which it says are there."""
    if row is None:
        return False
    if row.get("findings_in") == name and row["findings"] == []:
        result = {**result, "findings": []}
    return all(row.get(field) == value for field, value in result.items())


def _covered(seen: Observation) -> Iterator[Violation]:
    for name, positions in seen.checkpoints.items():
        stage = name.partition("/")[2]
        rows = seen.coordinators.get(stage, {}) if stage else seen.documents
        below = [one for one in seen.log if one.offset < positions.get(f"{_DOCUMENTS}-{one.partition}", 0)]
        for document_id, state in fold(below).items():
            if stage and stage not in state.stages:
                continue
            row = rows.get(document_id)
            facts = row["settled"]["facts"] if row else 0
            if facts < state.facts:
                told = f"the checkpoint of {name} covers {state.facts} facts, its row has {facts}"
                yield Violation("I5", document_id, told)


def _left(seen: Observation, states: Mapping[str, DocumentState]) -> Iterator[Violation]:
    for lease in seen.leases:
        state = states.get(lease["document_id"])
        if not lease["ended"] and (state is None or state.status in TERMINAL or state.status == "deleted"):
            yield Violation("I6", lease["document_id"], f"the lease {lease['_id']} was never ended")
    yield from (Violation("I6", stray, "has no parent that would reap it") for stray in seen.strays)
    yield from (Violation("I6", folder, "was left by a process that is gone") for folder in seen.folders)


def _behind(seen: Observation) -> Iterator[Violation]:
    for name, positions in seen.checkpoints.items():
        lag = sum(end - positions[place] for place, end in seen.ends.items() if place in positions)
        if lag > 0:
            yield Violation("I8", name, f"is {lag} records behind")
    yield from (Violation("I8", name, f"is {lag} records behind") for name, lag in seen.group_lags.items() if lag > 0)
    yield from (Violation("I8", name, f"has halted: {reason}") for name, reason in seen.halted.items())
