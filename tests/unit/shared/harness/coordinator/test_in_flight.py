"""What is on its way: given what was sent, what is held and what was taken, what is adrift and to be sent again."""

from shared.harness.coordinator.in_flight import BLIND, PATIENCE, REST, SETTLE, InFlight

HERE = (3, 40)  # partition and offset
BEFORE, AFTER = {3: 40}, {3: 41}  # the next offset: not taken yet, taken


def flights(*, at=0.0, place=HERE):
    found = InFlight()
    found.sent("d", 1, place, at)
    return found


def test_what_waits_in_kafka_is_on_its_way_however_long() -> None:
    found = flights()

    assert [found.look({}, BEFORE, at) for at in (2, 100, PATIENCE - 1)] == [[], [], []]
    assert found.in_flight == {"d": {1}}


def test_a_partition_that_nobody_has_begun_holds_what_waits() -> None:
    found = flights()

    assert [found.look({}, {}, at) for at in (2, 10)] == [[], []]


def test_what_somebody_holds_is_on_its_way() -> None:
    found = flights()

    assert [found.look({"d": {1}}, AFTER, at) for at in (2, 1000)] == [[], []]


def test_what_was_taken_and_is_held_by_nobody_is_adrift_a_moment_later() -> None:
    found = flights()

    assert found.look({}, AFTER, 2) == []  # its fact may be on its way
    assert found.look({}, AFTER, 2 + SETTLE) == [("d", 1)]
    assert found.in_flight == {}


def test_a_moment_in_which_it_is_held_begins_the_wait_anew() -> None:
    found = flights()
    found.look({}, AFTER, 2)
    found.look({"d": {1}}, AFTER, 4)

    assert found.look({}, AFTER, 6) == []
    assert found.look({}, AFTER, 6 + SETTLE) == [("d", 1)]


def test_a_record_that_waits_for_minutes_may_be_gone_with_its_segment_and_is_sent_again() -> None:
    found = flights()
    found.look({}, BEFORE, PATIENCE)

    assert found.look({}, BEFORE, PATIENCE + SETTLE) == [("d", 1)]


def test_where_nobody_knows_what_was_taken_time_alone_speaks() -> None:
    found = flights()

    assert found.look({}, None, BLIND - 1) == []
    found.look({}, None, BLIND)
    assert found.look({}, None, BLIND + SETTLE) == [("d", 1)]


def test_what_a_restarted_coordinator_finds_held_is_on_its_way_until_it_is_let_go() -> None:
    found = InFlight()
    found.look({"d": {1, 2}}, AFTER, 0)

    assert found.in_flight == {"d": {1, 2}}
    found.landed("d", 1)
    found.look({}, AFTER, 2)
    assert found.look({}, AFTER, 2 + SETTLE) == [("d", 2)]


def test_whoever_drifts_again_and_again_rests_longer_each_time() -> None:
    found, now, rests = flights(), 0.0, []
    for _ in range(12):
        found.look({}, AFTER, now)
        assert found.look({}, AFTER, now + SETTLE) == [("d", 1)]
        now += SETTLE
        began = now
        while found.resting(now):
            now += 0.5
        rests.append(now - began)
        found.sent("d", 1, HERE, now)

    assert rests[:4] == [0, 2, 4, 8]
    assert max(rests) == rests[-1] == REST


def test_a_word_about_it_ends_the_rest() -> None:
    found, now = flights(), 0.0
    for _ in range(4):
        found.look({}, AFTER, now)
        found.look({}, AFTER, now := now + SETTLE)
        found.sent("d", 1, HERE, now)
    assert found.resting(now) == {"d"}
    found.landed("d", 1)

    assert found.resting(now) == set()
    assert found.in_flight == {}


def test_what_is_forgotten_leaves_nothing() -> None:
    found = flights()
    found.sent("d", 2, HERE, 0)
    found.sent("e", 2, HERE, 0)
    found.forget("d")

    assert found.in_flight == {"e": {2}}
    found.look({}, AFTER, 2)
    assert found.look({}, AFTER, 2 + SETTLE) == [("e", 2)]
