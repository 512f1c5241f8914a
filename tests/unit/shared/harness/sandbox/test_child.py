"""The child's side of the protocol: frames, throttled ticks, results that are read when looked at."""

import io
from pathlib import Path

import orjson
import pytest

from shared.errors import Rejected, Transient
from shared.harness.sandbox import child
from shared.harness.sandbox.child import TICK, Results, SliceResults, Ticker, describe_failure, receive, send
from shared.storage.blobs import BlobDamaged, seal


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(child.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    return Clock(monkeypatch)


def sent(stream):
    stream.seek(0)
    frames = []
    while frame := receive(stream):
        frames.append(orjson.loads(frame[1]))
        assert frame[0] == TICK
    return frames


def test_a_frame_is_read_as_it_was_written() -> None:
    stream = io.BytesIO()
    send(stream, b"r", b"body")
    send(stream, b"e", b"")
    stream.seek(0)

    assert [receive(stream), receive(stream), receive(stream)] == [(b"r", b"body"), (b"e", b""), None]


def test_a_tick_says_what_how_far_and_with_which_parameters(clock) -> None:
    stream = io.BytesIO()
    Ticker(stream)("ocr.reading_page", 0.25, page=3)

    assert sent(stream) == [{"code": "ocr.reading_page", "fraction": 0.25, "params": {"page": 3}}]


def test_a_million_steps_at_once_are_one_tick(clock) -> None:
    stream = io.BytesIO()
    ticker = Ticker(stream)
    for step in range(10_000):
        ticker("chunk.embedding", step / 10_000)

    assert len(sent(stream)) == 1


def test_ticks_come_with_every_percent_but_not_more_than_ten_a_second(clock) -> None:
    stream = io.BytesIO()
    ticker = Ticker(stream)
    for step in range(1000):
        ticker("chunk.embedding", step / 100)
        clock.now += 0.03

    assert 240 <= len(sent(stream)) <= 301


def test_a_slow_step_still_gives_a_sign_of_life_every_second(clock) -> None:
    stream = io.BytesIO()
    ticker = Ticker(stream)
    for _ in range(100):
        ticker("ocr.reading_page", 0.0)
        clock.now += 0.1

    assert len(sent(stream)) in (9, 10, 11)


@pytest.mark.parametrize(("said", "told"), [(1.7, 1.0), (-0.5, 0.0)])
def test_a_fraction_stays_between_nothing_and_all(clock, said: float, told: float) -> None:
    stream = io.BytesIO()
    Ticker(stream)("x", said)

    assert sent(stream)[0]["fraction"] == told


@pytest.fixture
def stored(tmp_path: Path):
    def store(name, value):
        (tmp_path / name).write_bytes(seal(value))
        return str(tmp_path / name)

    return store


def test_slices_are_read_one_by_one_and_a_missing_one_is_none(stored) -> None:
    slices = SliceResults([stored("0", {"n": 0}), None, stored("2", {"n": 2})])

    assert len(slices) == 3
    assert list(slices) == [{"n": 0}, None, {"n": 2}]
    assert slices[-1] == {"n": 2}
    assert slices[1:] == [None, {"n": 2}]


def test_slices_are_not_kept(stored) -> None:
    path = stored("0", {"n": 0})
    slices = SliceResults([path])
    assert slices[0] == {"n": 0}

    stored("0", {"n": 1})
    assert slices[0] == {"n": 1}


def test_earlier_results_are_read_once_and_only_when_looked_at(stored) -> None:
    results = Results({"ocr": stored("ocr", {"n": 1}), "chunk": "/nowhere"})

    assert list(results) == ["ocr", "chunk"]
    assert len(results) == 2
    first = results["ocr"]
    assert results["ocr"] is first
    with pytest.raises(FileNotFoundError):
        results["chunk"]


def test_a_damaged_slice_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(seal({"n": 0})[:-1])

    with pytest.raises(BlobDamaged):
        SliceResults([str(tmp_path / "0")])[0]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Rejected("encrypted"), {"kind": "rejected", "code": "encrypted", "facts": {}}),
        (
            Transient("provider_unavailable", retry_after=3.0, provider="m", detail="503"),
            {
                "kind": "transient", "code": "provider_unavailable", "facts": {"provider": "m", "detail": "503"},
                "retry_after": 3.0,
            },
        ),
        (MemoryError(), {"kind": "memory"}),
    ],
)  # fmt: skip
def test_an_expected_error_is_told_by_its_kind_code_and_facts(error, told) -> None:
    assert describe_failure(error) == told


def test_a_bug_is_told_with_its_traceback() -> None:
    try:
        raise KeyError("page")
    except KeyError as error:
        told = describe_failure(error)

    assert told["kind"] == "bug"
    assert "KeyError at" in told["traceback"]
