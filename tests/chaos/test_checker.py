"""The checker finds what is planted: a look at a system in which all is well, with one thing changed by hand."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from services.progress.projection import document_row, timeline
from shared.events.document import Fact
from shared.harness.coordinator.assignment import Assignment
from shared.harness.coordinator.fold import to_row
from tests.chaos.observing import abandoned, strays
from tests.support import document_facts
from tests.support.document_facts import DOCUMENT
from tests.support.invariants import Logged, Observation, violations

PLACE: Final = "documents-0"
STAGES: Final = ("ocr", "chunk", "extract")
RESULTS: Final = {"ocr-result": {}, "chunk-result": {"chunks": [{"text": "one"}]}, "extract-result": {"title": "T"}}


def at_rest(facts: Sequence[Fact]) -> Observation:
    """What a system shows that has folded `facts` as it should."""
    kept, rows = None, dict[str, Any]()
    for offset, fact in enumerate(facts):
        kept = document_row.take(kept, fact, offset)
        assert kept
        row = timeline.row(kept.state, fact, offset)
        rows.setdefault(row["_id"], row)
    assert kept
    positions = {PLACE: len(facts)}
    document = document_row.to_row(kept, "epoch")
    return Observation(
        log=[Logged(0, offset, fact) for offset, fact in enumerate(facts)],
        ends=dict(positions),
        checkpoints={name: dict(positions) for name in ("progress", *(f"coordinator/{stage}" for stage in STAGES))},
        documents={DOCUMENT: document},
        jobs=dict(document_row.stage_rows(kept, document)),
        timeline=rows,
        coordinators={s: {DOCUMENT: to_row(Assignment(kept.state, s, len(facts) - 1))} for s in STAGES},
        chunks={DOCUMENT: ["one"]},
        extractions={DOCUMENT: {"title": "T", "tenant": "acme"}},
        results=dict(RESULTS),
        leases=[{"_id": "a lease", "document_id": DOCUMENT, "ended": True}],
        group_lags=dict.fromkeys(STAGES, 0),
        strays=[],
    )


@pytest.mark.parametrize(
    "facts", [document_facts.COMPLETED, document_facts.FAILED, document_facts.CANCELLED, document_facts.PARTIAL]
)
def test_where_all_is_well_nothing_is_found(facts: list[Fact]) -> None:
    seen = at_rest(facts)
    if facts == document_facts.PARTIAL:
        seen = replace(seen, results={**RESULTS, "ocr-some": {}})
    assert violations(seen, acknowledged=[DOCUMENT, facts[0].event_id]) == []


def test_the_same_claim_said_twice_by_two_processes_is_well() -> None:
    again = document_facts.done(0, when=9).model_copy(update={"producer": "another"})
    assert violations(at_rest([*document_facts.COMPLETED, again])) == []


def _change(name: str, change: Callable[[Any], None]) -> Callable[[Observation], Observation]:
    def changed(seen: Observation) -> Observation:
        value = deepcopy(getattr(seen, name))
        change(value)
        return replace(seen, **{name: value})

    return changed


PLANTED: Final[Sequence[tuple[str, str, Callable[[Observation], Observation]]]] = [
    (
        "I1",
        "shown as processing",
        _change("documents", lambda rows: rows[DOCUMENT]["view"].update(status="processing")),
    ),
    ("I3", "the log only", _change("documents", lambda rows: rows.clear())),
    ("I3", "the projection only", _change("documents", lambda rows: rows.update(ghost=rows[DOCUMENT]))),
    ("I3", "size is 1", _change("documents", lambda rows: rows[DOCUMENT]["settled"].update(size=1))),
    ("I3", "lacks", _change("jobs", lambda rows: rows.pop(f"{DOCUMENT}/ocr"))),
    ("I3", "attempt of", _change("jobs", lambda rows: rows[f"{DOCUMENT}/ocr"].update(attempt=2))),
    (
        "I3",
        "timeline lacks",
        _change("timeline", lambda rows: rows.pop(f"{DOCUMENT}/{document_facts.started().event_id}")),
    ),
    ("I3", "does not follow", _change("timeline", lambda rows: rows.update(x={"document_id": DOCUMENT}))),
    ("I3", "chunks differ", _change("chunks", lambda rows: rows[DOCUMENT].append("two"))),
    ("I3", "extraction differs", _change("extractions", lambda rows: rows.clear())),
    ("I3", "readers are not told", _change("results", lambda found: found.update({"chunk-result": None}))),
    ("I5", "the checkpoint of progress", _change("documents", lambda rows: rows[DOCUMENT]["settled"].update(facts=3))),
    ("I5", "the checkpoint of coordinator/chunk", _change("coordinators", lambda rows: rows["chunk"].clear())),
    ("I6", "never ended", _change("leases", lambda rows: rows[0].update(ended=False))),
    ("I6", "no parent", _change("strays", lambda found: found.append("process 7 (tesseract)"))),
    ("I8", "is 2 records behind", _change("checkpoints", lambda found: found["progress"].update({PLACE: 12}))),
    ("I8", "is 1 records behind", _change("group_lags", lambda lags: lags.update(chunk=1))),
    ("I8", "has halted", _change("halted", lambda halted: halted.update(progress="the log was cut"))),
]


@pytest.mark.parametrize(("invariant", "words", "plant"), PLANTED, ids=[f"{i} {w}" for i, w, _ in PLANTED])
def test_what_is_planted_is_found(invariant: str, words: str, plant: Callable[[Observation], Observation]) -> None:
    seen = plant(at_rest(document_facts.COMPLETED))
    found = [f"{one.invariant} {one}" for one in violations(seen)]
    assert any(line.startswith(invariant) and words in line for line in found), found


def test_a_document_that_does_not_end_is_found() -> None:
    found = violations(at_rest(document_facts.RUNNING))
    assert [str(one) for one in found] == [f"I1 {DOCUMENT}: has not come to an end, it is processing"]


def test_a_fact_that_is_missing_from_the_log_is_found_by_what_was_folded_from_it() -> None:
    seen = at_rest(document_facts.COMPLETED)
    found = violations(replace(seen, log=seen.log[:-1]))
    assert {one.invariant for one in found} == {"I1", "I3"}


def test_an_acknowledged_upload_that_is_not_in_the_log_is_found() -> None:
    found = violations(at_rest(document_facts.COMPLETED), acknowledged=["another"])
    assert [str(one) for one in found] == ["I2 another: was acknowledged and is not in the log"]


def test_one_event_id_with_two_claims_is_found() -> None:
    other = document_facts.done(0, weight=2.0)
    found = violations(at_rest([*document_facts.COMPLETED, other]))
    assert [one.invariant for one in found] == ["I2"]
    assert "['weight']" in found[0].sentence


def test_a_child_whose_parent_is_gone_is_found_among_the_processes() -> None:
    env = {**os.environ, "PAGESTREAM_KAFKA": f"nowhere-{os.getpid()}:1"}
    sleeper = [sys.executable, "-c", "import sys; sys.stdin.read()", "tesseract"]
    with subprocess.Popen(sleeper, env=env, stdin=subprocess.PIPE) as process:
        assert process.stdin
        (found,) = strays(env["PAGESTREAM_KAFKA"])
        assert f"process {process.pid}" in found
    assert list(strays(env["PAGESTREAM_KAFKA"])) == []


def test_the_folder_of_a_dead_process_is_found(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    (tmp_path / f"pagestream-{dead.pid}-x").mkdir()
    (tmp_path / f"pagestream-{os.getpid()}-x").mkdir()
    assert list(abandoned(tmp_path)) == [tmp_path / f"pagestream-{dead.pid}-x"]
