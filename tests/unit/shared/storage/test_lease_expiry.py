"""Who has been silent for long enough: time counts only while there are answers."""

from shared.storage.lease_expiry import GRACE, Silent


def test_whoever_is_seen_unchanged_for_the_grace_is_silent() -> None:
    silent = Silent()

    assert silent.since({"a"}, 0.0) == set()
    assert silent.since({"a"}, GRACE - 0.5) == set()
    assert silent.since({"a"}, GRACE) == {"a"}


def test_whoever_was_not_seen_in_between_begins_anew() -> None:
    silent = Silent()
    silent.since({"a"}, 0)
    silent.since(set(), 2)
    silent.since({"a"}, 3)

    assert silent.since({"a"}, 3 + GRACE - 0.5) == set()


def test_a_time_without_answers_counts_for_nobody() -> None:
    silent = Silent()
    silent.since({"a"}, 0)
    silent.since({"a"}, 2)

    assert silent.since({"a"}, 32) == set()  # an election
    assert silent.since({"a", "b"}, 34) == set()
    assert silent.since({"a", "b"}, 32 + GRACE) == {"a"}
