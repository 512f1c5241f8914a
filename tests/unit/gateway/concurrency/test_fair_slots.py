"""Whoever finds all places taken is told so; places that become free are given again."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from services.gateway.concurrency.fair_slots import FairSlots
from services.gateway.problems import Problem
from services.gateway.queries import page_images
from services.gateway.queries.page_images import PageImages, kept
from services.gateway.targets import DocumentKey
from services.gateway.uploads import ingest
from services.gateway.uploads.ingest import Uploads
from shared.harness.contract import Slice
from shared.storage.blobs import Blobs

KEY = DocumentKey("acme", "d1")
NOBODY = cast(Any, None)  # whom a place does not ask


async def test_an_upload_that_finds_no_place_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "QUEUE_SECONDS", 0.05)
    house = Uploads(NOBODY, NOBODY, NOBODY, NOBODY, b"", max_bytes=1, at_once=1)
    async with house.place("acme"):
        with pytest.raises(Problem) as refused:
            async with house.place("acme"):
                pass
    assert (refused.value.status, refused.value.code, refused.value.facts["limit"]) == (429, "too_many_uploads", 1)
    assert refused.value.headers["Retry-After"] == "5"
    async with house.place("acme"):
        pass


async def test_one_tenant_takes_at_most_half_of_the_places() -> None:
    places = FairSlots(4, "too_many_uploads", 0.05)
    async with places.one("mallory"), places.one("mallory"):
        with pytest.raises(Problem) as refused:
            async with places.one("mallory"):
                pass
        assert refused.value.facts["limit"] == 2
        async with places.one("acme"), places.one("acme"):
            with pytest.raises(Problem) as refused:
                async with places.one("a third one"):
                    pass
            assert refused.value.facts["limit"] == 4
    async with places.one("mallory"):
        pass


async def test_who_waits_gets_the_place_that_becomes_free() -> None:
    places = FairSlots(2, "too_many_uploads", 5)
    order: list[str] = []

    async def upload(tenant: str) -> None:
        async with places.one(tenant):
            order.append(tenant)

    async with places.one("acme"):
        waiting = asyncio.create_task(upload("acme"))
        await upload("other")
        assert order == ["other"]
    await waiting
    assert order == ["other", "acme"]


async def test_an_image_more_than_may_wait_is_refused_and_who_asks_for_one_that_is_drawn_shares_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finished = asyncio.Event()

    async def draw(*_: Any) -> bytes:
        await finished.wait()
        return b"drawn"

    monkeypatch.setattr(page_images, "_MAX_WAITING", 1)
    monkeypatch.setattr(PageImages, "_draw", draw)
    async with PageImages(Blobs.open(f"file://{tmp_path}"), 1) as gallery:

        def page(number: int) -> asyncio.Task[bytes]:
            return asyncio.create_task(gallery.jpeg(KEY, "p", Slice(pages=(1, 9)), number, 100))

        first, same, other = page(1), page(1), page(2)
        with pytest.raises(Problem) as refused:
            await other
        assert (refused.value.status, refused.value.code) == (503, "too_many_images")
        assert refused.value.headers["Retry-After"] == "2"
        finished.set()
        assert [await first, await same, await page(2)] == [b"drawn"] * 3


async def test_the_images_of_one_tenant_keep_nobody_else_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    finished = asyncio.Event()

    async def draw(*_: Any) -> bytes:
        await finished.wait()
        return b"drawn"

    monkeypatch.setattr(page_images, "_MAX_OF_ONE", 2)
    monkeypatch.setattr(PageImages, "_draw", draw)
    async with PageImages(Blobs.open(f"file://{tmp_path}"), 1) as gallery:

        def page(tenant: str, number: int) -> asyncio.Task[bytes]:
            key = DocumentKey(tenant, "d1")
            return asyncio.create_task(gallery.jpeg(key, "p", Slice(pages=(1, 9)), number, 100))

        taken = [page("mallory", number) for number in (1, 2, 2)]
        refused, other = page("mallory", 3), page("acme", 1)
        with pytest.raises(Problem, match="too_many_images"):
            await refused
        finished.set()
        assert await asyncio.gather(*taken, other, page("acme", 2)) == [b"drawn"] * 5
        assert await page("mallory", 3) == b"drawn"


@pytest.mark.parametrize(("asked", "drawn"), [(16, 16), (63, 16), (199, 64), (333, 200), (1000, 1000), (2400, 1600)])
def test_a_width_becomes_the_next_narrower_one_that_is_kept(asked: int, drawn: int) -> None:
    assert kept(asked) == drawn


def test_a_body_without_a_length_is_refused_once_it_is_larger_than_any_form_may_be() -> None:
    seen: list[int] = []
    house = Uploads(NOBODY, NOBODY, NOBODY, NOBODY, b"", max_bytes=1_000, at_once=1)
    arrived = house.checking(seen.append)
    arrived(1_000)
    arrived(60_000)
    with pytest.raises(Problem, match="too_large"):
        arrived(10_000)  # whatever stands around the file
    assert seen == [1_000, 60_000]
