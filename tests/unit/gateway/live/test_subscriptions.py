"""Given who watches, when something changes, then who is shown what."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.live.subscriptions import Change, Fanout, Subscriptions
from services.gateway.targets import Position, Target

DOCUMENT = Target.document("acme", "d1")
FEED = Target.of_feed("acme")


def change(version: int, *, epoch: str = "e1", document_id: str = "d1", tenant: str = "acme") -> Change:
    return Change(tenant, document_id, epoch, version, {"version": version})


def deletion(version: int) -> Change:
    return Change("acme", "d1", "e1", version, None)


def watching(*members: str, target: Target = DOCUMENT, version: int = 1, epoch: str = "e1") -> Subscriptions[str]:
    subscriptions: Subscriptions[str] = Subscriptions()
    for member in members:
        subscriptions.join(target, member)
        subscriptions.open(target, member, epoch, {"d1": version})
    return subscriptions


def told(fanout: Fanout[str]) -> tuple[list[str], list[str], list[str]]:
    return fanout.snapshots, fanout.updates, fanout.feed


def test_a_change_goes_to_everybody_who_watches_the_document() -> None:
    assert told(watching("a", "b").changed(change(2))) == ([], ["a", "b"], [])


def test_a_change_goes_to_nobody_of_another_tenant() -> None:
    assert told(watching("a").changed(change(2, tenant="other"))) == ([], [], [])


def test_a_change_that_the_snapshot_held_already_is_not_shown_again() -> None:
    assert told(watching("a", version=5).changed(change(5))) == ([], [], [])


def test_an_older_change_is_dropped_after_a_newer_one() -> None:
    subscriptions = watching("a")
    subscriptions.changed(change(7))
    assert told(subscriptions.changed(change(6))) == ([], [], [])


def test_a_change_that_is_published_twice_is_shown_once() -> None:
    subscriptions = watching("a")
    subscriptions.changed(change(7))
    assert told(subscriptions.changed(change(7))) == ([], [], [])


def test_what_changes_while_the_snapshot_is_read_is_shown_after_it() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.join(DOCUMENT, "a")
    assert told(subscriptions.changed(change(3))) == ([], [], [])
    opening = subscriptions.open(DOCUMENT, "a", "e1", {"d1": 2})
    assert opening is not None
    assert [late.version for late in opening.late] == [3]


def test_what_the_snapshot_holds_is_not_late() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.join(DOCUMENT, "a")
    subscriptions.changed(change(3))
    opening = subscriptions.open(DOCUMENT, "a", "e1", {"d1": 3})
    assert opening is not None
    assert opening.late == ()


def test_who_has_the_snapshots_position_is_current() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    for have, expected in ((Position("e1", 2), True), (Position("e1", 1), False), (Position("e0", 2), False)):
        subscriptions.join(DOCUMENT, "a")
        opening = subscriptions.open(DOCUMENT, "a", "e1", {"d1": 2}, have)
        assert opening is not None
        assert opening.is_current is expected


def test_who_left_while_the_snapshot_was_read_is_shown_nothing() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.join(DOCUMENT, "a")
    subscriptions.leave(DOCUMENT, "a")
    assert subscriptions.open(DOCUMENT, "a", "e1", {"d1": 2}) is None


def test_a_failed_snapshot_ends_the_subscription_unless_another_is_being_read() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.join(DOCUMENT, "a")
    subscriptions.join(DOCUMENT, "a")
    subscriptions.fail(DOCUMENT, "a")
    assert subscriptions.is_watched("acme", "d1")
    subscriptions.fail(DOCUMENT, "a")
    assert not subscriptions.is_watched("acme", "d1")


def test_subscribing_twice_answers_twice_and_shows_each_change_once() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.join(DOCUMENT, "a")
    subscriptions.join(DOCUMENT, "a")
    first = subscriptions.open(DOCUMENT, "a", "e1", {"d1": 1})
    assert told(subscriptions.changed(change(2))) == ([], [], [])  # the second snapshot is still being read
    second = subscriptions.open(DOCUMENT, "a", "e1", {"d1": 1})
    assert first is not None
    assert second is not None
    assert first.late == ()
    assert [late.version for late in second.late] == [2]
    assert told(subscriptions.changed(change(3))) == ([], ["a"], [])


def test_the_first_change_of_another_epoch_is_a_snapshot_and_may_have_a_lower_version() -> None:
    subscriptions = watching("a", version=900)
    assert told(subscriptions.changed(change(3, epoch="e2"))) == (["a"], [], [])
    assert told(subscriptions.changed(change(4, epoch="e2"))) == ([], ["a"], [])


def test_a_deletion_ends_the_subscription() -> None:
    subscriptions = watching("a")
    assert told(subscriptions.changed(deletion(2))) == ([], ["a"], [])
    assert told(subscriptions.changed(change(3))) == ([], [], [])
    assert not subscriptions.targets_of("a")


def test_a_deletion_while_the_snapshot_is_read_ends_it_after_the_snapshot() -> None:
    subscriptions: Subscriptions[str] = Subscriptions()
    subscriptions.join(DOCUMENT, "a")
    subscriptions.changed(deletion(2))
    opening = subscriptions.open(DOCUMENT, "a", "e1", {"d1": 1})
    assert opening is not None
    assert opening.late[0].is_deletion
    assert not subscriptions.targets_of("a")


def test_a_feed_is_shown_every_document_of_its_tenant() -> None:
    subscriptions = watching("a", target=FEED)
    assert told(subscriptions.changed(change(1, document_id="new"))) == ([], [], ["a"])
    assert told(subscriptions.changed(change(2))) == ([], [], ["a"])
    assert told(subscriptions.changed(change(9, tenant="other"))) == ([], [], [])


def test_a_feed_is_not_shown_what_its_snapshot_held() -> None:
    subscriptions = watching("a", target=FEED, version=5)
    assert told(subscriptions.changed(change(4))) == ([], [], [])
    assert told(subscriptions.changed(change(5))) == ([], [], [])
    assert told(subscriptions.changed(change(6))) == ([], [], ["a"])


def test_a_feed_of_another_epoch_waits_for_its_new_snapshot() -> None:
    subscriptions = watching("a", target=FEED)
    assert told(subscriptions.changed(change(7, epoch="e2"))) == ([], [], [])
    subscriptions.join(FEED, "a")
    subscriptions.changed(change(8, epoch="e2"))
    opening = subscriptions.open(FEED, "a", "e2", {"d1": 7})
    assert opening is not None
    assert [late.version for late in opening.late] == [8]


def test_who_is_gone_watches_nothing() -> None:
    subscriptions = watching("a", "b")
    subscriptions.leave_all("a")
    assert told(subscriptions.changed(change(2))) == ([], ["b"], [])
    subscriptions.leave_all("b")
    assert list(subscriptions.watched()) == []


Step = tuple[str, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.sampled_from(["write", "publish", "join", "open"]), st.integers(0, 3)), max_size=40
)


@given(STEPS)
def test_in_any_order_versions_only_grow_and_the_last_one_arrives(steps: list[Step]) -> None:
    """A database that writes before it publishes, publications that repeat, and a watcher that joins in between."""
    subscriptions: Subscriptions[str] = Subscriptions()
    shown: list[int] = []
    written, published, reads = 1, 1, list[int]()

    def publish(version: int) -> None:
        fanout = subscriptions.changed(change(version))
        if fanout.updates or fanout.snapshots:
            shown.append(version)

    def open_oldest() -> None:
        opening: Any = subscriptions.open(DOCUMENT, "a", "e1", {"d1": reads.pop(0)})
        shown.append(versions_read.pop(0))
        shown.extend(late.version for late in opening.late)

    versions_read: list[int] = []
    for step, number in steps:
        match step:
            case "write":
                written += 1
            case "publish":
                published = max(1, min(written, published + 1 - number % 3))  # one further, or repeated
                publish(published)
            case "join":
                subscriptions.join(DOCUMENT, "a")
                reads.append(written)
                versions_read.append(written)
            case "open" if reads:
                open_oldest()
            case _:
                pass
    while reads:
        open_oldest()
    for version in range(published, written + 1):
        publish(version)
    assert shown == sorted(shown)
    if shown:
        assert shown[-1] == written
