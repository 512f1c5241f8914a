"""Facts on the wire: what is read, what is refused and how, ids that say what is claimed."""

from typing import get_args

import orjson
import pytest

from shared.events import document
from shared.events.document import (
    MAX_BYTES,
    UPCASTERS,
    VERSIONS,
    Failure,
    NotAnEnvelope,
    Record,
    StageStarted,
    UnknownFact,
    decode,
    decode_progress,
)
from shared.events.pipeline import PIPELINE, StageLine
from tests.support.document_facts import DOCUMENT, TENANT, at, done, failed, planned, started, ticked, uploaded


def changed(fact, **fields):
    return orjson.dumps(orjson.loads(fact.encode()) | fields)


def test_a_fact_is_read_as_it_was_said() -> None:
    for fact in (uploaded(), started(), planned(pages=3), done(0, pages=(1, 2)), failed(1)):
        assert decode(fact.encode()) == fact


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xfe",
        b"hello",
        b"[]",
        b"17",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"type": "StageStarted"}',
        changed(started(), document_id="no uuid"),
        changed(started(), document_id=DOCUMENT.upper()),
        changed(started(), at="2026-03-14T12:00:00"),
        changed(started(), at="yesterday"),
        changed(started(), event_id=None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_bytes_that_are_no_envelope_are_told_apart(value) -> None:
    with pytest.raises(NotAnEnvelope):
        decode(value)


def test_an_unknown_type_is_never_skipped() -> None:
    with pytest.raises(
        UnknownFact, match=r"does not know DocumentTranslated version 1; it needs a newer release"
    ) as caught:
        decode(changed(started(), type="DocumentTranslated"))

    assert (caught.value.kind, caught.value.version) == ("DocumentTranslated", 1)


@pytest.mark.parametrize("version", [0, 2, 99])
def test_an_unknown_version_of_a_known_type_is_never_skipped(version: int) -> None:
    with pytest.raises(UnknownFact) as caught:
        decode(changed(started(), version=version))

    assert (caught.value.kind, caught.value.version) == ("StageStarted", version)


@pytest.mark.parametrize("broken", [{"attempt": 0}, {"attempt": "first"}, {"stage": None}])
def test_a_known_type_whose_fields_make_no_sense_is_never_skipped(broken) -> None:
    with pytest.raises(UnknownFact):
        decode(changed(started(), **broken))


def test_a_field_that_this_code_does_not_know_is_ignored() -> None:
    assert decode(changed(started(), mood="good")) == started()


def test_the_version_of_a_fact_that_names_none_is_one() -> None:
    raw = orjson.loads(started().encode())
    del raw["version"]

    assert decode(orjson.dumps(raw)) == started()


def test_older_versions_are_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, "StageStarted", 3)
    monkeypatch.setitem(UPCASTERS, ("StageStarted", 1), lambda raw: {**raw, "stage": raw["step"]})
    monkeypatch.setitem(UPCASTERS, ("StageStarted", 2), lambda raw: {**raw, "attempt": raw["attempt"] + 1})
    old = orjson.loads(changed(started(), step="ocr", attempt=1))
    del old["stage"]

    fact = decode(orjson.dumps(old))
    newer = decode(changed(started(), version=2, attempt=1))

    assert isinstance(fact, StageStarted)
    assert (fact.stage, fact.attempt, fact.version) == ("ocr", 2, 3)
    assert isinstance(newer, StageStarted)
    assert newer.attempt == 2
    with pytest.raises(UnknownFact):
        decode(changed(started(), version=4))


def test_equal_claims_have_equal_ids_whoever_says_them_and_whenever() -> None:
    mine = started(when=1)
    theirs = StageStarted.claim(
        document_id=DOCUMENT, claim="ocr/1", tenant=TENANT, at=at(99), producer="another", stage="ocr", attempt=1
    )

    assert mine.event_id == theirs.event_id


def test_different_claims_types_and_documents_have_different_ids() -> None:
    other = "0b9d2a11-93a5-4f0e-9d55-aaaaaaaaaaaa"
    facts = [
        started(),
        started(attempt=2),
        started("chunk"),
        planned(),
        done(0),
        done(1),
        failed(0),
        failed(0, strike=2),
    ]
    facts += [failed(0, attempt=2), done(0, plan="another"), started(document=other)]

    assert len({fact.event_id for fact in facts}) == len(facts)


def test_a_result_claims_its_plan_and_slice_and_not_the_attempt_that_brought_it() -> None:
    assert done(0, attempt=1).event_id == done(0, attempt=2).event_id


def test_facts_are_small_also_where_they_carry_most() -> None:
    longest = Failure(code="x" * 40, facts={f"fact_{n}": "ß" * 200 for n in range(20)}, retryable=True, page=9)
    many = [StageLine(stage=f"stage_{n}", weight=1.0) for n in range(100)]

    assert len(failed(999_999, error=longest).encode()) < MAX_BYTES
    assert len(uploaded(pipeline=many).encode()) < MAX_BYTES


def test_which_service_runs_a_stage_is_no_business_of_the_logs() -> None:
    assert b"services." not in uploaded(pipeline=PIPELINE).encode()


def test_facts_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        started().attempt = 2


def test_every_fact_of_the_union_has_a_version() -> None:
    assert {kind.__name__ for kind in get_args(Record)} == VERSIONS.keys()


def test_a_tick_is_read_as_it_was_said() -> None:
    tick = ticked(3, 0.5, page=4)

    assert decode_progress(tick.encode()) == tick


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b"\x00", changed(started(), fraction=0.5)])
def test_bytes_that_are_no_tick_are_told_apart(value) -> None:
    with pytest.raises(NotAnEnvelope):
        decode_progress(value)


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_a_tick_beyond_its_slice_is_no_tick(fraction: float) -> None:
    with pytest.raises(NotAnEnvelope):
        decode_progress(orjson.dumps(orjson.loads(ticked().encode()) | {"fraction": fraction}))


def test_the_shells_clock_has_the_precision_of_the_database() -> None:
    now = document.utcnow()

    assert now.microsecond % 1000 == 0
    offset = now.utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0
