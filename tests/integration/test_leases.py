"""Leases and ownerships on a real database: its clock, its conditional writes, its races."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from shared.errors import Rejected
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.leases import (
    Ended,
    Lease,
    LeaseBook,
    LeaseLost,
    Leases,
    Owner,
    Ownership,
    Workers,
    holding,
)
from shared.storage.mongo import Mongo
from tests.support.wait import until

ABOUT: Final = {"document_id": "d", "tenant": "default", "stage": "ocr", "attempt": 1, "plan": "p", "slice": 0}
HERE: Final = Owner("here/ocr", "boot-1")
THERE: Final = Owner("there/ocr", "boot-a")


async def expire(database: Mongo, collection: str, name: str) -> None:
    """Let the database's clock have passed the expiry."""
    changed = await database.control[collection].update_one(
        {"_id": name}, [{"$set": {"expires_at": {"$subtract": ["$$NOW", 1]}}}]
    )
    assert changed.modified_count == 1


async def row(database: Mongo, collection: str, name: str) -> dict[str, Any]:
    found = await database.control[collection].find_one({"_id": name})
    assert found
    return found


def granted(claimed: Lease | Ended | None) -> Lease:
    assert isinstance(claimed, Lease)
    return claimed


async def test_a_claim_is_granted_once_and_says_what_it_is_about(database: Mongo) -> None:
    assert await Leases(database, HERE).claim("w", ABOUT) == Lease("w", claim_count=1, losses=0)
    assert await Leases(database, THERE).claim("w", ABOUT) is None
    assert await Leases(database, HERE).claim("w", ABOUT) is None  # in the same life it is at work on it already
    assert ABOUT.items() <= (await row(database, "leases", "w")).items()


async def test_an_expired_lease_is_taken_over_and_counts_as_a_loss(database: Mongo) -> None:
    here, there = Leases(database, HERE), Leases(database, THERE)
    first = granted(await here.claim("w", ABOUT))
    await expire(database, "leases", "w")
    assert await there.claim("w", ABOUT) == Lease("w", claim_count=2, losses=1)
    with pytest.raises(LeaseLost):
        await here.renew(first)
    await here.end(first, b"fact")
    await here.release(first)
    assert (await row(database, "leases", "w"))["ended"] is False  # whoever lost it cannot end or release it
    assert await here.claim("w", ABOUT) is None


async def test_a_lease_of_an_earlier_life_is_taken_over_at_once(database: Mongo) -> None:
    zombie = Leases(database, HERE)
    lost = granted(await zombie.claim("w", ABOUT))
    reborn = Leases(database, Owner(HERE.slot, "boot-2"))
    assert await reborn.claim("w", ABOUT) == Lease("w", claim_count=2, losses=1)
    with pytest.raises(LeaseLost):
        await zombie.renew(lost)
    assert await zombie.expire_earlier_lives() == 1  # to the zombie the new life is another one, too
    assert await reborn.expire_earlier_lives() == 0  # which took only what it could take back


async def test_what_an_earlier_life_held_expires_when_the_slot_comes_back(database: Mongo) -> None:
    before = Leases(database, HERE)
    ended = granted(await before.claim("ended", ABOUT))
    await before.end(ended, b"fact")
    await before.claim("held", ABOUT)
    await Leases(database, THERE).claim("another's", ABOUT)
    assert await Leases(database, Owner(HERE.slot, "boot-2")).expire_earlier_lives() == 1
    assert await Leases(database, THERE).claim("held", ABOUT) == Lease("held", claim_count=2, losses=1)
    assert await Leases(database, HERE).claim("another's", ABOUT) is None


async def test_a_renewed_lease_is_not_taken_over(database: Mongo) -> None:
    here = Leases(database, HERE)
    lease = granted(await here.claim("w", ABOUT))
    await expire(database, "leases", "w")
    await here.renew(lease)
    assert await Leases(database, THERE).claim("w", ABOUT) is None


async def test_who_claims_what_has_ended_is_given_the_fact_that_it_ended_in(database: Mongo) -> None:
    here = Leases(database, HERE)
    lease = granted(await here.claim("w", ABOUT))
    assert isinstance(lease, Lease)
    await here.end(lease, b"fact")
    await expire(database, "leases", "w")
    for owner in (HERE, THERE, Owner(HERE.slot, "boot-2")):
        assert await Leases(database, owner).claim("w", ABOUT) == Ended(b"fact")
    with pytest.raises(LeaseLost):
        await here.renew(lease)


async def test_what_has_ended_without_a_fact_opens_again_and_that_is_no_loss(database: Mongo) -> None:
    here, book = Leases(database, HERE), LeaseBook(database)
    assert await here.claim("w", ABOUT)
    await expire(database, "leases", "w")
    await book.close(await row(database, "leases", "w"))
    again = granted(await Leases(database, THERE).claim("w", ABOUT))
    assert again == Lease("w", claim_count=2, losses=0)
    assert (await row(database, "leases", "w"))["ended_at"] is None  # which would remove it a day later
    assert await here.claim("w", ABOUT) is None


async def test_what_has_ended_in_a_result_that_is_gone_is_claimed_anew_and_the_fence_holds(database: Mongo) -> None:
    here, there = Leases(database, HERE), Leases(database, THERE)
    first = granted(await here.claim("w", ABOUT))
    assert isinstance(first, Lease)
    await here.end(first, b"fact")
    second = granted(await there.claim("w", ABOUT, anew=True))
    assert second == Lease("w", claim_count=2, losses=0)
    assert await here.claim("w", ABOUT, anew=True) is None  # it is at work again
    with pytest.raises(LeaseLost):
        await here.renew(first)
    await there.end(second, b"another")
    assert await here.claim("w", ABOUT) == Ended(b"another")


async def test_a_lease_that_expired_is_lost_when_its_owner_stays_silent_while_the_database_answers(
    database: Mongo,
) -> None:
    book = LeaseBook(database)
    await Leases(database, HERE).claim("silent", ABOUT)
    here = Leases(database, THERE)
    late = granted(await here.claim("late", ABOUT))
    assert isinstance(late, Lease)
    for name in ("silent", "late"):
        await expire(database, "leases", name)
    assert await book.expired() == []
    await here.renew(late)  # as an owner does a moment after an election

    async def lost() -> list[str]:
        return [found["_id"] for found in await book.expired()]

    assert await until(lost, within=10) == ["silent"]


async def test_what_has_just_expired_is_not_sent_again_before_it_is_said_to_be_lost(database: Mongo) -> None:
    book = LeaseBook(database)
    await Leases(database, HERE).claim("w", ABOUT)
    await expire(database, "leases", "w")
    assert await book.in_flight("ocr") == {"d": {0}}
    assert await book.at_work_among(["d"]) == {"d"}
    await book.reported(await row(database, "leases", "w"))
    assert await book.in_flight("ocr") == {}


async def test_what_was_given_back_is_in_nobodys_hands(database: Mongo) -> None:
    here, book = Leases(database, HERE), LeaseBook(database)
    lease = granted(await here.claim("w", ABOUT))
    assert isinstance(lease, Lease)
    await here.release(lease)
    assert await book.in_flight("ocr") == {}
    assert await book.at_work_among(["d"]) == set()


async def test_a_standby_lets_an_owner_that_could_not_renew_come_back(database: Mongo) -> None:
    here, there = Ownership(database, "fold", HERE), Ownership(database, "fold", THERE)
    assert await here.acquire()
    assert not await there.acquire(patiently=True)
    await expire(database, "owners", "fold")  # as after an election
    assert not await there.acquire(patiently=True)
    await here.renew()
    await expire(database, "owners", "fold")

    async def taken() -> bool:
        return await there.acquire(patiently=True)

    await until(taken, within=10)  # it stays silent
    with pytest.raises(LeaseLost):
        await here.renew()


async def test_a_database_that_does_not_answer_takes_the_right_from_nobody(
    database: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    ownership, asked = Ownership(database, "fold", HERE), []

    async def away() -> None:
        asked.append(1)
        raise mongo.OUTAGES[0]("no primary")

    async with asyncio.timeout(30), holding(ownership):
        monkeypatch.setattr(ownership, "renew", away)
        await until(lambda: len(asked) > 2)
        monkeypatch.undo()
    assert await Ownership(database, "fold", THERE).acquire()


async def test_a_released_lease_is_free_at_once_and_no_loss(database: Mongo) -> None:
    here, there = Leases(database, HERE), Leases(database, THERE)
    lease = granted(await here.claim("w", ABOUT))
    await here.release(lease)
    again = granted(await there.claim("w", ABOUT))
    assert again == Lease("w", claim_count=2, losses=0)
    await expire(database, "leases", "w")
    assert await here.claim("w", ABOUT) == Lease("w", claim_count=3, losses=1)


async def test_of_two_who_claim_at_once_exactly_one_wins(database: Mongo, settings: SharedSettings) -> None:
    async with mongo.connect(settings) as other:
        here, there = Leases(database, HERE), Leases(other, THERE)
        for number in range(100):
            claims = await asyncio.gather(here.claim(f"w{number}", ABOUT), there.claim(f"w{number}", ABOUT))
            assert sorted(claim is not None for claim in claims) == [False, True]


async def test_of_two_who_take_over_at_once_exactly_one_wins(database: Mongo, settings: SharedSettings) -> None:
    await Leases(database, Owner("dead/ocr", "boot-1")).claim("w", ABOUT)
    async with mongo.connect(settings) as other:
        here, there = Leases(database, HERE), Leases(other, THERE)
        for number in range(100):
            await expire(database, "leases", "w")
            claims = await asyncio.gather(here.claim("w", ABOUT), there.claim("w", ABOUT))
            assert [claim.claim_count for claim in claims if claim] == [number + 2]


async def test_an_ownership_has_one_owner_until_it_expires_or_is_released(database: Mongo) -> None:
    here, there = Ownership(database, "fold", HERE), Ownership(database, "fold", THERE)
    assert await here.acquire()
    assert await here.acquire()
    assert not await there.acquire()
    await here.release()
    assert await there.acquire()
    with pytest.raises(LeaseLost):
        await here.renew()
    await here.release()  # it is not ours to release
    assert not await here.acquire()
    await expire(database, "owners", "fold")
    assert await here.acquire()


async def test_each_term_is_later_than_those_before_also_when_the_clock_goes_back(database: Mongo) -> None:
    here, there = Ownership(database, "fold", HERE), Ownership(database, "fold", THERE)
    assert await here.acquire()
    terms = [here.term]
    ahead = datetime.now(UTC) + timedelta(minutes=1)  # the clock of the database that was primary then
    await database.control["owners"].update_one({"_id": "fold"}, {"$set": {"since": ahead}})
    for owner in (there, here, there):
        await expire(database, "owners", "fold")
        assert await owner.acquire()
        terms.append(owner.term)
    assert terms == sorted(set(terms))
    assert not await here.acquire()
    assert here.term == terms[2]  # as it was when it had it


async def test_a_restarted_owner_takes_over_from_its_earlier_life(database: Mongo) -> None:
    zombie, reborn = Ownership(database, "fold", HERE), Ownership(database, "fold", Owner(HERE.slot, "boot-2"))
    assert await zombie.acquire()
    assert await reborn.acquire()
    with pytest.raises(LeaseLost):
        await zombie.renew()


async def test_a_standby_holds_as_soon_as_the_holder_leaves(database: Mongo) -> None:
    entered = asyncio.Event()

    async def stand_by() -> None:
        async with holding(Ownership(database, "fold", THERE)):
            entered.set()

    async with holding(Ownership(database, "fold", HERE)):
        standby = asyncio.create_task(stand_by())
        await until(lambda: waits_for_ownership(standby))
        assert not entered.is_set()
    async with asyncio.timeout(30):
        await standby
    assert entered.is_set()
    assert await Ownership(database, "fold", HERE).acquire()  # it let go on leaving


def waits_for_ownership(task: "asyncio.Task[None]") -> bool:
    """Whether the task has tried and sleeps until it tries again."""
    (frame,) = task.get_stack(limit=1)
    return frame.f_code.co_name in ("stand_by", "holding", "sleep")


async def test_losing_it_cancels_the_body_and_says_so(database: Mongo) -> None:
    ended: list[BaseException] = []

    async def hold_for_ever() -> None:
        async with holding(Ownership(database, "fold", HERE)):
            await expire(database, "owners", "fold")
            assert await Ownership(database, "fold", THERE).acquire()
            try:
                await asyncio.Event().wait()
            except BaseException as error:
                ended.append(error)
                raise

    with pytest.raises(LeaseLost):
        async with asyncio.timeout(30):
            await hold_for_ever()
    assert [type(error) for error in ended] == [asyncio.CancelledError]
    assert not await Ownership(database, "fold", HERE).acquire()  # it did not release what is another's


async def test_an_error_of_the_body_comes_out_as_it_is(database: Mongo) -> None:
    with pytest.raises(ZeroDivisionError):
        async with holding(Ownership(database, "fold", HERE)):
            raise ZeroDivisionError
    assert await Ownership(database, "fold", THERE).acquire()


async def test_of_two_workers_with_one_slot_the_later_is_refused(database: Mongo) -> None:
    here, rival = Workers(database), Workers(database)
    await here.announce(HERE, "ocr", 2)
    await rival.announce(Owner(HERE.slot, "boot-2"), "ocr", 2)
    await here.announce(HERE, "ocr", 2)  # the first stays
    with pytest.raises(Rejected, match="has the slot") as refused:
        await rival.announce(Owner(HERE.slot, "boot-2"), "ocr", 2)
    assert refused.value.facts == {"slot": "here"}
    await here.announce(HERE, "ocr", 2)

    reborn = Workers(database)
    for _ in range(3):
        await reborn.announce(Owner(HERE.slot, "boot-3"), "ocr", 2)  # the first is dead


async def test_slots_are_those_of_the_workers_that_live(database: Mongo) -> None:
    workers = Workers(database)
    assert await workers.slots("ocr") == 0
    await workers.announce(HERE, "ocr", 2)
    await workers.announce(THERE, "ocr", 3, "Operation not permitted")
    assert {row["_id"]: row["kept_network"] for row in await workers.live()}[THERE.slot] == "Operation not permitted"
    await workers.announce(Owner("here/chunk", "boot-1"), "chunk", 7)
    await workers.announce(HERE, "ocr", 4)
    assert await workers.slots("ocr") == 7
    await expire(database, "workers", THERE.slot)
    assert await workers.slots("ocr") == 4
    await workers.leave(Owner(HERE.slot, "boot-0"))  # an earlier life that leaves late
    assert await workers.slots("ocr") == 4
    await workers.leave(HERE)
    assert await workers.slots("ocr") == 0
