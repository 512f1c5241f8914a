"""Every version of every event ever shipped still parses, folds and is described.

`samples/<Type>.v<version>.json` is never edited and never removed: it is what stands in somebody's log.
"""

import re
from pathlib import Path

import orjson
import pytest

from services.progress.projection import timeline
from shared.document.state import evolve
from shared.events import standalone_job
from shared.events.document import UPCASTERS, VERSIONS, decode
from shared.events.pipeline import PIPELINE
from shared.harness.coordinator.assignment import evolve as assigned
from tests.support import document_facts

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
GLOSSARY = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
OF_JOBS = [path for path in SAMPLES if path.name.startswith("Job")]
sample = pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)


def read(path):
    return decode(path.read_bytes())


@sample
def test_a_sample_is_named_after_the_type_and_version_it_shows(path) -> None:
    raw = orjson.loads(path.read_bytes())

    assert path.name == f"{raw['type']}.v{raw['version']}.json"


@sample
def test_a_sample_still_parses_as_the_current_version(path) -> None:
    fact = read(path)

    assert fact.type == path.name.partition(".")[0]
    assert fact.version == VERSIONS[fact.type]


@sample
def test_what_a_sample_says_is_not_lost_on_the_way_through_the_code(path) -> None:
    fact, raw = read(path), orjson.loads(path.read_bytes())

    assert decode(fact.encode()) == fact
    if raw["version"] == fact.version:
        assert orjson.loads(fact.encode()) == raw


@pytest.mark.parametrize("path", [path for path in SAMPLES if path not in OF_JOBS], ids=lambda path: path.stem)
def test_every_fold_takes_a_sample(path) -> None:
    fact = read(path)
    settled = evolve(evolve(None, read_named("DocumentUploaded")), fact)

    assert settled is not None
    for line in PIPELINE:
        assignment = assigned(None, read_named("DocumentUploaded"), line.stage)
        after = assigned(assignment, fact, line.stage)
        assert after
        assert after.state == settled
    assert timeline.said_of(fact)["text"]


@pytest.mark.parametrize("path", OF_JOBS, ids=lambda path: path.stem)
def test_the_fold_of_jobs_takes_a_sample(path) -> None:
    started = standalone_job.evolve(None, read_named("JobStarted"))
    after = standalone_job.evolve(started, read(path))

    assert (after is started) == (path.name == "JobStarted.v1.json")


def read_named(kind):
    return read(next(path for path in SAMPLES if path.name.startswith(f"{kind}.")))


def test_the_samples_tell_one_whole_story() -> None:
    order = ["DocumentUploaded", "StageStarted", "StagePlanned", "SliceCompleted", "WorkerLost", "SliceFailed"]
    order += ["StageFailed", "RetryScheduled", "StageRequested", "StageCompleted"]
    state = document_facts.fold([read_named(kind) for kind in order[:-1]])
    stopped = document_facts.fold(
        [read_named("DocumentUploaded"), read_named("CancelRequested"), read_named("DocumentCancelled")]
    )
    again = evolve(stopped, read_named("RetryRequested"))
    gone = evolve(evolve(state, read_named("DocumentDeleted")), read_named("DocumentErased"))

    assert (state.stages["ocr"].attempt, state.stages["ocr"].done, state.stages["ocr"].pages) == (2, 1, 40)
    assert state.facts == len(order) - 1
    assert stopped
    assert again
    assert gone
    assert (stopped.status, again.status) == ("cancelled", "processing")
    assert (gone.status, gone.erased) == ("deleted", True)


def test_every_type_and_version_has_a_sample() -> None:
    versions = {(kind, version) for kind, newest in VERSIONS.items() for version in range(1, newest + 1)}

    assert {path.stem for path in SAMPLES} == {f"{kind}.v{version}" for kind, version in versions}


def test_every_older_version_has_an_upcaster_to_the_next() -> None:
    assert UPCASTERS.keys() == {(kind, v) for kind, newest in VERSIONS.items() for v in range(1, newest)}


@pytest.mark.parametrize("kind", VERSIONS)
def test_every_event_type_has_its_line_in_the_glossary(kind) -> None:
    assert re.search(rf"^\| `{kind}` \|", GLOSSARY, re.MULTILINE)
