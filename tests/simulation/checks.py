"""What must hold of a world at rest, and what must not be seen on the way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from shared.document.state import TERMINAL
from shared.events.document import DocumentFact, NotAnEnvelope, UnknownFact, decode
from shared.kafka import topics
from shared.storage.blobs import BlobDamaged, unseal
from tests.simulation.query import Row
from tests.simulation.scheduler import EPOCH
from tests.support.invariants import Logged, Observation, Violation, violations

WAITS_SECONDS: Final = 100.0  # a look at the leases comes every 30 s, a lease lasts 10 s, work given back has 60 s
CIRCLES: Final = 4  # sends of one work item without a fact that follows
EARLY: Final = 0.5  # of the whole time: when the first of some letters uploaded together must be done

_PROJECTIONS: Final = "pagestream"
_CONTROL: Final = "pagestream_control"


def words(fact: Any) -> str:
    """A fact in few words."""
    told = [fact.type]
    for name in ("stage", "attempt", "plan", "slice", "strike", "final", "run", "slices", "partial"):
        value = getattr(fact, name, None)
        if value is not None and value is not False:
            told.append(f"{name}={value}")
    if error := getattr(fact, "error", None):
        told.append(error.code)
    return " ".join(told)


# ---- on the way


def progress(world: Any) -> None:
    """Nothing circulates without progress, and no document waits while a hand is free that may take it."""
    now = world.loop.now
    for work, count in world.sent.items():
        if count >= CIRCLES and not _is_held(world, work):
            world.wrong("I9", work.partition("/")[0], f"{work.partition('/')[2]} was sent {count} times, to no avail")
    for document_id, state in world.states.items():
        over = state.status in TERMINAL or state.erased
        due = max((stage.due_at.timestamp() for stage in state.stages.values() if stage.due_at), default=0.0)
        since = max(world.moved[document_id], world.calm_since, due - EPOCH)
        if not over and now - since > WAITS_SECONDS and not _is_held(world, document_id) and has_hand(world):
            world.wrong("I10", document_id, f"is {state.status} and waits since {since:.0f} s, and nobody takes it")


def _is_held(world: Any, prefix: str) -> bool:
    now = world.server.now()
    leases = world.server.tables.get((_CONTROL, "leases"), {})
    return any(
        i.startswith(prefix) and not kept.row["ended"] and kept.row["expires_at"] > now for i, kept in leases.items()
    )


def has_hand(world: Any) -> bool:
    """Whether somebody is idle: nobody holds as many leases as there are children."""
    now = world.server.now()
    leases = world.server.tables.get((_CONTROL, "leases"), {}).values()
    held = sum(not kept.row["ended"] and kept.row["expires_at"] > now for kept in leases)
    return bool(held < world.scenario.children)


def maybe_at_rest(world: Any) -> bool:
    """A quick look: whether it is worth to check everything."""
    if world.people.waiting or "rebuild" in world.machines.running:
        return False
    if any(process.frozen_until > world.loop.now for process in world.machines.running.values()):
        return False
    return all(state.status in TERMINAL or state.erased for state in world.states.values())


# ---- at rest


def everything(world: Any) -> list[Violation]:
    """I1 to I3, I5, I6, I8, I13."""
    found = violations(observe(world), [*world.people.accepted.values()])
    if world.people.waiting:
        found.append(Violation("I1", "people", f"{world.people.waiting} uploads were never answered"))
    found += _coordinators(world)
    found += _totals(world)
    found = [one for one in found if not ("coordinator" in one.sentence and one.subject in _begun_twice(world))]
    if world.scenario.is_quiet:
        found += _nothing_twice(world)
    return found


def _begun_twice(world: Any) -> set[str]:
    """Documents whose upload was said again in a world whose databases were dropped.

    A coordinator that has not seen yet that its rows are gone takes the second upload for the first, and the row that
    it writes lacks facts. What a person sees comes from the projection, whose rows have a name for each life.
    """
    if not world.drops:
        return set()
    uploads = Counter(one.fact.document_id for one in read_log(world) if one.fact.type == "DocumentUploaded")
    return {document_id for document_id, count in uploads.items() if count > 1}


def _nothing_twice(world: Any) -> Iterator[Violation]:
    """Where nothing goes wrong nothing is said twice and nothing is tried again."""
    ids = [logged.fact.event_id for logged in read_log(world)]
    if len(ids) > len(set(ids)):
        yield Violation("I12", "log", f"{len(ids) - len(set(ids))} facts are said twice")
    for document_id, state in world.states.items():
        if attempts := {stage.stage: stage.attempt for stage in state.stages.values() if stage.attempt > 1}:
            yield Violation("I12", document_id, f"was tried again: {attempts}")


def to_retry(world: Any) -> list[str]:
    """The documents that a person may try again, by name."""
    names = {document_id: name for name, document_id in world.people.accepted.items()}
    return [
        names[document_id]
        for document_id, state in world.states.items()
        if document_id in names
        and (state.status in ("failed", "cancelled") or (state.status == "completed" and state.partial))
    ]


def observe(world: Any) -> Observation:
    server = world.server
    pointer = {row["_id"]: row for row in server.rows(_PROJECTIONS, "generations")}.get("live", {})
    generation = pointer.get("generation", "")
    rows = {
        name: {row["_id"]: row for row in server.rows(_PROJECTIONS, f"{name}_{generation}")}
        for name in ("documents", "processing_jobs", "timeline", "chunks", "extractions")
    }
    log = list(read_log(world))
    if not world.scenario.tidy:  # the janitor comes once an hour and removes what came late to an erased document
        erased = {document_id for document_id, state in world.states.items() if state.erased}
        for name in ("processing_jobs", "timeline"):
            rows[name] = {i: row for i, row in rows[name].items() if i.partition("/")[0] not in erased}
    folds = {
        f"progress/{generation}": "progress",
        **{f"coordinator/{s}": f"coordinator/{s}" for s in world.scenario.stages},
    }
    checkpoints = {folds[r["_id"]]: r["offsets"] for r in server.rows(_PROJECTIONS, "checkpoints") if r["_id"] in folds}
    chunks: dict[str, list[str]] = {}
    for row in sorted(rows["chunks"].values(), key=lambda row: row["index"]):
        chunks.setdefault(row["document_id"], []).append(row["text"])
    names = {
        stage_state.result
        for state in world.states.values()
        for stage_state in state.stages.values()
        if stage_state.result
    }
    return Observation(
        log=log,
        ends={
            f"{p.topic}-{p.partition}": world.broker.end(p)
            for topic in (topics.DOCUMENTS, topics.PROGRESS)
            for p in world.broker.places(topic)
        },
        checkpoints=checkpoints,
        documents=rows["documents"],
        jobs=rows["processing_jobs"],
        timeline=rows["timeline"],
        coordinators={
            stage: {row["_id"]: row for row in server.rows(_PROJECTIONS, f"coordinator_{stage}")}
            for stage in world.scenario.stages
        },
        chunks=chunks,
        extractions=rows["extractions"],
        results={name: _result(world, name, rows["documents"]) for name in names},
        leases=server.rows(_CONTROL, "leases"),
        group_lags={
            name: sum(world.broker.end(p) - group.committed.get(p, 0) for p in world.broker.places(_topic(name)))
            for name, group in world.broker.groups.items()
        },
        halted={row["_id"]: row["halted"] for row in server.rows(_CONTROL, "status") if row.get("halted")},
    )


def _topic(group: str) -> str:
    return group.replace("workers.", "slices.", 1)


def read_log(world: Any) -> Iterator[Logged]:
    for place in world.broker.places(topics.DOCUMENTS):
        for record in world.broker.records(place):
            try:
                fact = decode(record.value)
            except (NotAnEnvelope, UnknownFact):
                continue
            if isinstance(fact, DocumentFact):
                yield Logged(record.partition, record.offset, fact)


def _result(world: Any, name: str, documents: Mapping[str, Row]) -> Any:
    """A result; what was damaged only after it was stored for readers is what it was."""
    try:
        return unseal(world.bucket.get(name))
    except (FileNotFoundError, BlobDamaged):
        _, document_id, stage, *_ = name.split("/")
        row = documents.get(document_id, {})
        whole = (
            name in world.damaged and row.get("loaded", {}).get(stage) == name and stage not in row.get("faults", {})
        )
        return unseal(world.damaged[name]) if whole else None


def _coordinators(world: Any) -> Iterator[Violation]:
    """A coordinator at rest believes what the log says."""
    for stage in world.scenario.stages:
        for row in world.server.rows(_PROJECTIONS, f"coordinator_{stage}"):
            state = world.states[row["_id"]]
            if row["settled"]["status"] != state.status or row["settled"]["facts"] != state.facts:
                told = f"is {state.status} ({state.facts}), the coordinator of {stage} holds {row['settled']['status']}"
                yield Violation("I3", row["_id"], f"{told} ({row['settled']['facts']})")


def _totals(world: Any) -> Iterator[Violation]:
    """What is counted of each tenant is the sum of what its documents add."""
    pointer = {row["_id"]: row for row in world.server.rows(_PROJECTIONS, "generations")}.get("live", {})
    generation = pointer.get("generation", "")
    sums: dict[str, Counter[str]] = {}
    for row in world.server.rows(_PROJECTIONS, f"documents_{generation}"):
        sums.setdefault(row["tenant"], Counter()).update(row["counted"])
    kept = {row["_id"]: Counter(row["counts"]) for row in world.server.rows(_PROJECTIONS, f"totals_{generation}")}
    for tenant, counts in sums.items():
        mine = kept.get(tenant, Counter())
        if differs := {name: (n, mine[name]) for name, n in counts.items() if mine[name] != n}:
            yield Violation("I13", tenant, f"the totals differ from the documents: {differs}")


def early(world: Any) -> None:
    """Of letters that were uploaded together the first is done long before the last."""
    ends = sorted(world.ended.values())
    if world.scenario.bulk and len(ends) > 1 and ends[0] > EARLY * ends[-1]:
        world.wrong(
            "I11", "letters", f"the first of {len(ends)} was done at {ends[0] / ends[-1]:.0%} of the whole time"
        )


def watched(world: Any) -> None:
    """I4 and I7: on each connection versions of a document only grow, end at the database's, and are its tenant's."""
    rows: dict[str, Row] = observe(world).documents
    for viewer in world.people.viewers:
        for violation in _shown(viewer, rows):
            world.wrong(*violation)
    gateway = world.gateway
    if world.violations or gateway is None:
        return
    for viewer in world.people.viewers:
        row = rows.get(viewer.document_id or "")
        if row is None or viewer.process is not gateway.process or row["deleted"]:
            continue
        last = viewer.frames[-1] if viewer.frames else {}
        if (last.get("epoch"), last.get("version")) != (row["view"]["epoch"], row["version"]):
            told = f"a watcher was left at {last.get('epoch')}:{last.get('version')}, the database has "
            world.wrong("I4", viewer.document_id, f"{told}{row['view']['epoch']}:{row['version']}")


def _shown(viewer: Any, rows: Any) -> Iterator[Violation]:
    of_document = [frame for frame in viewer.frames if viewer.document_id and "version" in frame]
    for before, after in pairwise(of_document):
        if before["epoch"] == after["epoch"] and before["version"] > after["version"]:
            yield Violation("I4", viewer.document_id, f"was shown {before['version']} before {after['version']}")
        if before["epoch"] != after["epoch"] and after["op"] not in ("snapshot", "deleted"):
            yield Violation("I4", viewer.document_id, f"a new epoch began with {after['op']}")
    for frame in viewer.frames:
        shown = frame.get("documents", [frame.get("document")] if frame.get("document") else [])
        for view in shown:
            row = rows.get(view["document_id"])
            if row and row["tenant"] != viewer.tenant:
                yield Violation("I7", view["document_id"], f"was shown to {viewer.tenant}")
