"""How long a program that died stays down."""

from stack.backoff import Backoff


def test_each_quick_death_doubles_the_wait_up_to_the_cap() -> None:
    waits: list[float] = []
    wait: float | None = None
    for _ in range(9):
        wait = Backoff().after(0.1, wait)
        waits.append(wait)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_healthy_life_starts_the_waits_over() -> None:
    assert Backoff(healthy_after=30).after(30, 16) == 0.5


def test_a_life_just_short_of_healthy_does_not() -> None:
    assert Backoff(healthy_after=30).after(29.9, 16) == 30
