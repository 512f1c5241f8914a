"""Who gets the next free place: windows for tenants, least remaining work, age, and what drifts last."""

from uuid import UUID, uuid5

import pytest

from shared.events.document import CONCLUDE, PLAN
from shared.harness.coordinator.assignment import GiveUp, Send, SetAside, evolve
from shared.harness.coordinator.priority import circulating
from tests.support.deciding import decide, waiting
from tests.support.document_facts import DOCUMENT, done, failed, given_up, planned, requested, uploaded
from tests.support.one_stage import PAGE, Stage


def name(number):
    return str(uuid5(UUID(DOCUMENT), str(number)))


def document(number, slices, *more, tenant="acme", when=0.0):
    """A document with a plan; without slices it has none yet."""
    log = [uploaded(document=name(number), tenant=tenant, when=when)]
    log += [planned(slices=slices, document=name(number))] if slices else []
    assignment = None
    for fact in [*log, *more]:
        assignment = evolve(assignment, fact, "ocr")
    return assignment


def read(number, *pages):
    return [done(page, document=name(number)) for page in pages]


def sent(documents, *, flying=None, served=None, passed=None, slots):
    decisions = decide(
        documents, flying or {}, served or {}, slots, 3, passed or dict.fromkeys(map(name, range(99)), 0)
    )
    return [(d.assignment.document_id, d.slice) for d in decisions if isinstance(d, Send)]


# --- one decision -------------------------------------------------------------------------------------------------


def test_a_letter_beside_a_book_gets_the_next_free_place() -> None:
    book, letter = document(1, 1000), document(2, 1)

    assert sent([book, letter], flying={name(1): {0}}, slots=2) == [(name(2), 0)]


def test_what_is_not_planned_may_be_a_letter_and_comes_before_a_book() -> None:
    assert sent([document(1, 1000), document(2, 0)], slots=1) == [(name(2), PLAN)]


def test_what_is_planned_is_finished_before_the_next_of_its_size_is_planned() -> None:
    assert sent([document(1, 0), document(2, 1, when=1)], slots=1) == [(name(2), 0)]


def test_a_conclusion_comes_before_everything() -> None:
    ended = document(9, 30, *read(9, *range(30)), when=9)

    assert sent([document(1, 1), document(2, 0), ended], slots=1) == [(name(9), CONCLUDE)]


def test_of_documents_with_as_much_to_do_the_oldest_is_first_whatever_their_order() -> None:
    assert sent([document(2, 1, when=5), document(1, 1, when=3)], slots=1) == [(name(1), 0)]


def test_one_document_gets_all_places_before_another_of_its_size_gets_one() -> None:
    assert sent([document(1, 50), document(2, 50)], slots=4) == [(name(1), n) for n in range(4)]


def test_whoever_has_less_left_goes_first_however_large_it_was() -> None:
    nearly = document(2, 40, *read(2, *range(39)), when=5)

    assert sent([document(1, 20), nearly], slots=1) == [(name(2), 39)]


def test_the_oldest_gets_a_place_when_others_were_given_four_times_the_cost_of_its_slice() -> None:
    book, letters = document(1, 100), [document(n, 1, when=n) for n in (2, 3, 4)]

    assert sent([book, *letters], passed={name(1): 4.0}, slots=2) == [(name(1), 0), (name(2), 0)]
    assert sent([book, *letters], passed={name(1): 2.9}, slots=2) == [(name(2), 0), (name(3), 0)]


def test_by_its_age_alone_nobody_has_more_than_a_quarter_of_the_places() -> None:
    book, letters = document(1, 100), [document(n, 1, when=n) for n in range(2, 20)]
    places = sent([book, *letters], passed={name(1): 99.0}, slots=8)

    assert [i for i, _ in places].count(name(1)) == 2
    assert sent([book, *letters], flying={name(1): {5, 6}}, passed={name(1): 99.0}, slots=3) == [(name(2), 0)]


def test_a_tenant_has_no_more_in_flight_than_there_are_slots() -> None:
    assert len(sent([document(1, 50)], slots=4)) == 4
    assert len(sent([document(1, 50), document(2, 50)], flying={name(1): {0, 1, 2}}, slots=4)) == 1
    assert sent([document(1, 50)], flying={name(1): {0, 1, 2, 3}}, slots=4) == []


def test_every_tenant_has_a_window_of_its_own() -> None:
    mine = [document(n, 50) for n in range(20)]
    theirs = document(98, 1, tenant="other")

    assert (name(98), 0) in sent([*mine, theirs], slots=2)


def test_places_that_small_documents_leave_go_to_the_large_one() -> None:
    assert len(sent([document(1, 50), document(2, 1)], slots=8)) == 8


def test_documents_that_have_all_in_flight_do_not_hide_what_can_be_sent() -> None:
    flying = {name(n): {0} for n in range(1, 6)}

    assert sent([*(document(n, 1) for n in range(1, 6)), document(6, 9)], flying=flying, slots=6) == [(name(6), 0)]


def test_without_workers_nothing_is_sent() -> None:
    assert sent([document(1, 50)], slots=0) == []


# --- what comes back without a word -------------------------------------------------------------------------------


def test_what_was_sent_and_came_back_without_a_word_goes_behind_the_others() -> None:
    ghost, book = document(1, 0), document(2, 90)

    assert sent([ghost, book], served={name(1): 0.01}, slots=1) == [(name(2), 0)]
    assert sent([ghost], served={name(1): 0.01}, slots=1) == [(name(1), PLAN)]  # it is still sent


def test_age_speaks_for_nobody_who_drifts() -> None:
    ghost, book = document(1, 0), document(2, 90)

    assert sent([ghost, book], served={name(1): 0.01}, passed={name(1): 99.0, name(2): 0.0}, slots=1) == [(name(2), 0)]


def test_what_is_on_its_way_or_has_ended_does_not_drift() -> None:
    book = document(2, 90, *read(2, 0), failed(1, document=name(2)))
    served = {name(2): 0.01 + 4.0}

    assert circulating({name(2): book}, {name(2): {2, 3}}, served) == 0
    assert circulating({name(2): book}, {}, served) == 1


def test_a_retry_that_begins_is_no_drift() -> None:
    again = document(1, 3, failed(0, document=name(1)), given_up(document=name(1)), requested(document=name(1)))

    assert circulating({name(1): again}, {}, {}) == 0
    assert len(sent([again], slots=3)) == 3


# --- one document whose state is not as it should be ----------------------------------------------------------------


class Broken:
    """An assignment of which one part raises when it is looked at."""

    def __init__(self, sound, part) -> None:
        self._sound = sound
        self._part = part

    def __getattr__(self, part):
        if part == self._part:
            raise KeyError(part)
        return getattr(self._sound, part)


@pytest.mark.parametrize("part", ["active", "stage_state", "tenant", "state", "outstanding"])
def test_one_document_that_cannot_be_decided_about_is_set_aside_and_the_others_go_on(part: str) -> None:
    broken = Broken(document(1, 3), part)
    decisions = decide([broken, document(2, 1)], {}, {}, 4, 3)

    assert [(d.assignment.document_id, d.slice) for d in decisions if isinstance(d, Send)] == [(name(2), 0)]
    assert [d.assignment for d in decisions if isinstance(d, SetAside)] == [broken]
    assert not any(isinstance(d, GiveUp) for d in decisions)


# --- their place in the queue ---------------------------------------------------------------------------------------


def test_the_queue_is_told_in_the_order_in_which_it_is_served() -> None:
    ours = [document(n, 0, when=9 - n) for n in range(3)]
    theirs = document(7, 0, tenant="other", when=99)
    told = {a.document_id: ahead for a, ahead in waiting([*ours, theirs, document(8, 4)], {}, {}).queue()}

    assert told == {name(2): 0, name(1): 1, name(0): 2, name(7): 0}


def test_whoever_drifts_is_told_that_others_come_before() -> None:
    drifting = waiting([document(1, 0), document(2, 0, when=5)], {}, {name(1): 0.01})
    told = {a.document_id: ahead for a, ahead in drifting.queue()}

    assert told == {name(2): 0, name(1): 1}


def test_of_many_only_the_first_hundred_are_told() -> None:
    many = [document(n, 0, when=n) for n in range(250)]
    assert [ahead for _, ahead in waiting(many, {}, {}).queue()] == list(range(100))


# --- in virtual time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pages", [1, 10])
def test_of_two_hundred_documents_that_come_together_the_first_is_done_soon_and_half_at_half_time(pages: int) -> None:
    stage = Stage(slots=2)
    ids = [stage.upload(pages) for _ in range(200)]
    whole = stage.until(ids, within=5000)
    ended = sorted(stage.ended.values())

    assert ended[0] <= 0.03 * whole
    assert ended[99] <= 0.55 * whole
    assert whole <= 1.2 * 200 * pages * PAGE / 2  # nobody was idle
    assert [*stage.ended][:5] == ids[:5] or pages == 1  # first come, first done


def test_a_letter_beside_a_book_takes_at_most_twice_as_long_as_alone() -> None:
    alone = Stage(slots=2)
    idle = alone.until([alone.upload(1)], within=100)
    stage = Stage(slots=2)
    stage.upload(1000)
    stage.work(10)
    times = []
    for _ in range(30):
        times.append(stage.until([stage.upload(1)], within=100))
        stage.work(0.35)  # so that it comes at another moment of the book's pages

    assert sorted(times)[28] <= 2 * idle


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_a_book_beside_as_many_letters_as_can_be_read_has_a_fifth_of_the_work(slots: int) -> None:
    stage = Stage(slots)
    book = stage.upload(10_000)
    stage.work(5)
    before, came = stage.read[book], 0
    for second in range(200):
        while came < (second + 1) * slots:
            stage.upload(1)
            came += 1
        stage.work(1)
    share = (stage.read[book] - before) / (200 * slots)

    assert 1 / 8 <= share <= 1 / 4  # a quarter of its half, at least


def test_two_books_beside_letters_both_end() -> None:
    stage = Stage(slots=2)
    books = [stage.upload(30), stage.upload(30)]
    for _ in range(400):
        stage.upload(1), stage.upload(1)
        stage.work(1)

    assert all(book in stage.ended for book in books)


@pytest.mark.parametrize("ghosts", [2, 20, 100])
def test_what_nobody_will_ever_do_holds_up_nobody(ghosts: int) -> None:
    stage = Stage(slots=2)
    haunting = [stage.upload(None) for _ in range(ghosts)]
    took = stage.until([stage.upload(10)], within=3600)

    assert took <= 20 + 10 * ghosts / 2  # each ghost once held a place, for a lease at most
    assert max(stage.sent[i] for i in haunting) <= took / 5 + 1
    stage.work(3600)
    assert max(stage.sent[i] for i in haunting) < 100  # and does not flood the topic


def test_a_letter_that_comes_to_ghosts_which_were_sent_before_waits_for_none() -> None:
    stage = Stage(slots=2)
    for _ in range(20):
        stage.upload(None)
    stage.work(300)

    assert stage.until([stage.upload(1)], within=100) <= 10
