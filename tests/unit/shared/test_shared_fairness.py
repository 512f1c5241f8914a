"""Who gets the next free place: windows for tenants, and the document that was served least."""

from uuid import UUID, uuid5

from history import DOCUMENT, planned, uploaded

from shared.harness.coordinator import decide, evolve


def name(number):
    return str(uuid5(UUID(DOCUMENT), str(number)))


def document(number, slices, tenant="acme"):
    log = [uploaded(document=name(number), tenant=tenant), planned(slices=slices, document=name(number))]
    assignment = None
    for fact in log:
        assignment = evolve(assignment, fact, "ocr")
    return assignment


def sent(documents, *, flying=None, served=None, slots):
    return [(d.assignment.document_id, d.slice) for d in decide(documents, flying or {}, served or {}, slots, 3)]


def test_a_letter_beside_a_book_gets_the_next_free_place():
    book, letter = document(1, 1000), document(2, 1)
    flying = {name(1): {0}}

    assert sent([book, letter], flying=flying, served={name(1): 1.0}, slots=2) == [(name(2), 0)]


def test_free_places_go_round_among_documents_that_were_served_alike():
    places = sent([document(1, 50), document(2, 50), document(3, 50)], slots=6)

    assert [places.count((name(n), s)) for n in (1, 2, 3) for s in (0, 1)] == [1] * 6


def test_of_documents_that_were_served_alike_the_oldest_is_first():
    assert sent([document(2, 1), document(1, 1)], slots=1) == [(name(2), 0)]


def test_a_tenant_has_no_more_in_flight_than_there_are_slots():
    assert len(sent([document(1, 50)], slots=4)) == 4
    assert len(sent([document(1, 50), document(2, 50)], flying={name(1): {0, 1, 2}}, slots=4)) == 1
    assert sent([document(1, 50)], flying={name(1): {0, 1, 2, 3}}, slots=4) == []


def test_every_tenant_has_a_window_of_its_own():
    mine = [document(n, 50) for n in range(20)]
    theirs = document(99, 1, tenant="other")

    assert (name(99), 0) in sent([*mine, theirs], slots=2)


def test_places_that_small_documents_leave_go_to_the_large_one():
    assert len(sent([document(1, 50), document(2, 1)], slots=8)) == 8


def test_without_workers_nothing_is_sent():
    assert sent([document(1, 50)], slots=0) == []
