"""When the live projection looks at which document."""

from services.progress.deciders.due_documents import DueDocuments


def test_what_is_due_now_comes_in_its_order_and_once() -> None:
    due = DueDocuments()
    due.now(["b", "a"])
    due.now(["b", "c"])
    assert due.take(0.0, limit=2) == ["b", "a"]
    assert due
    assert due.take(0.0, limit=2) == ["c"]
    assert not due


def test_a_later_one_waits_for_its_time() -> None:
    due = DueDocuments()
    due.at(5.0, "a")
    assert due.take(4.9, limit=9) == []
    assert due.take(5.0, limit=9) == ["a"]
    assert due.take(99.0, limit=9) == []


def test_the_earliest_of_two_times_counts() -> None:
    due = DueDocuments()
    due.at(9.0, "a")
    due.at(3.0, "a")
    due.at(6.0, "a")
    assert due.take(3.0, limit=9) == ["a"]
    assert due.take(99.0, limit=9) == []


def test_ten_thousand_that_become_due_together_are_taken_a_few_at_a_time() -> None:
    due = DueDocuments()
    for number in range(10_000):
        due.at(1.0, str(number))
    taken = [due.take(1.0, limit=200) for _ in range(50)]
    assert [len(some) for some in taken] == [200] * 50
    assert len({one for some in taken for one in some}) == 10_000
    assert not due
