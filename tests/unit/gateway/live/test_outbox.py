"""A slow reader gets less, never something older, and always the last."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.live.frames import Frame
from services.gateway.live.outbox import PATIENCE, Outbox, Slot
from services.gateway.targets import Target

FEED = Target.of_feed("t")


def frame(version: int, *, size: int = 0) -> Frame:
    return Frame({"op": "update", "epoch": "e", "version": version, "pad": "x" * size})


def change(document_id: str = "d", target: Target | None = None) -> Slot:
    return Slot(target or Target.document("t", document_id), document_id, "change")


def snapshot(document_id: str = "d") -> Slot:
    return Slot(Target.document("t", document_id), document_id, "snapshot")


def taken(outbox: Outbox) -> list[int | None]:
    versions = []
    while one := outbox.take():
        versions.append(one.version)
    return versions


def test_a_newer_change_replaces_an_older_one() -> None:
    outbox = Outbox()
    for version in (1, 2, 3):
        outbox.put(change(), frame(version), now=0)
    assert taken(outbox) == [3]


def test_documents_do_not_replace_each_other() -> None:
    outbox = Outbox()
    outbox.put(change("a"), frame(1), now=0)
    outbox.put(change("b"), frame(2), now=0)
    assert taken(outbox) == [1, 2]


def test_a_snapshot_replaces_the_changes_before_it_and_none_after_it() -> None:
    outbox = Outbox()
    outbox.put(change(), frame(1), now=0)
    outbox.put(snapshot(), frame(2), now=0)
    outbox.put(change(), frame(3), now=0)
    assert taken(outbox) == [2, 3]


def test_the_snapshot_of_a_feed_replaces_the_rows_before_it() -> None:
    outbox = Outbox()
    outbox.put(change("a", FEED), frame(1), now=0)
    outbox.put(change("b", FEED), frame(2), now=0)
    outbox.put(Slot(FEED, "", "snapshot"), frame(3), now=0)
    assert taken(outbox) == [3]


def test_answers_are_never_replaced() -> None:
    outbox = Outbox()
    outbox.put(None, frame(1), now=0)
    outbox.put(None, frame(1), now=0)
    assert taken(outbox) == [1, 1]


def test_a_change_never_overtakes_an_answer() -> None:
    outbox = Outbox()
    outbox.put(change(), frame(1), now=0)
    outbox.put(None, frame(2), now=0)  # the answer to a second subscribe
    outbox.put(change(), frame(3), now=0)
    assert taken(outbox) == [2, 3]


def test_who_never_catches_up_is_too_slow() -> None:
    outbox = Outbox()
    outbox.put(change(), frame(1), now=100)
    outbox.put(change(), frame(2), now=100 + PATIENCE)
    assert not outbox.is_too_slow(100 + PATIENCE)
    assert outbox.is_too_slow(101 + PATIENCE)


def test_who_catches_up_in_time_starts_anew() -> None:
    outbox = Outbox()
    outbox.put(change(), frame(1), now=0)
    taken(outbox)
    outbox.put(change(), frame(2), now=PATIENCE + 5)
    assert not outbox.is_too_slow(PATIENCE + 6)


def test_too_many_frames_or_bytes_are_too_slow() -> None:
    crowded, heavy = Outbox(max_frames=2), Outbox(max_bytes=1_000)
    for number in range(3):
        crowded.put(change(str(number)), frame(number), now=0)
    heavy.put(change(), frame(1, size=2_000), now=0)
    assert crowded.is_too_slow(0)
    assert heavy.is_too_slow(0)


def test_merging_gives_the_bytes_back() -> None:
    outbox = Outbox(max_bytes=3_000)
    for version in range(50):
        outbox.put(change(), frame(version, size=2_000), now=0)
    assert not outbox.is_too_slow(0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_of_each_document_versions_only_grow_and_the_last_arrives(puts: list[tuple[str, bool]]) -> None:
    outbox = Outbox()
    sent: dict[str, list[int]] = {name: [] for name in "abc"}
    last: dict[str, int] = {}
    frames: dict[Frame, str] = {}

    def take() -> None:
        one = outbox.take()
        if one is not None:
            sent[frames[one]].append(one.version or 0)

    for version, (name, is_taken) in enumerate(puts, start=1):
        one = frame(version)
        frames[one] = name
        outbox.put(change(name), one, now=0)
        last[name] = version
        if is_taken:
            take()
    while len(outbox):
        take()
    for name, versions in sent.items():
        assert versions == sorted(versions)
        if name in last:
            assert versions[-1] == last[name]
