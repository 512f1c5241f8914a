"""What goes wrong in the running system is seen on the page for as long as it lasts, and so is the good end of it."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.axe import picture
from tests.browser.dropping import drop, until_kind
from tests.support import pdfs
from tests.support.running_system import EVERY, RunningSystem
from tests.support.wait import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def being_read(page: Page, system: RunningSystem, name: str) -> Locator:
    """A scan of four pages that was dropped and has come to its recognisers."""
    progress = await drop(page, pdfs.scan(4, title=name), name)
    await until(system.at_work, what="the pages are being read", every=EVERY)
    return progress


async def test_a_page_whose_recogniser_dies_is_tried_again_and_why_and_when_is_said(
    page: Page, system: RunningSystem
) -> None:
    progress = await drop(page, pdfs.scan(1, title="Again"), "again.pdf")

    async def has_given_up() -> bool:
        for recogniser in system.at_work():  # the same attempt tries a page more than once
            with suppress(ProcessLookupError):
                os.kill(recogniser, signal.SIGKILL)
        return await progress.get_attribute("kind") == "retrying"

    await until(has_given_up, what="the attempt is given up", every=EVERY)
    await expect(progress).to_contain_text("Attempt 2")
    await picture(page, "live-retrying")
    await until_kind(progress, "completed")


async def test_a_worker_that_stands_still_is_seen_as_stalled_and_the_work_goes_on_when_it_does(
    page: Page, system: RunningSystem
) -> None:
    progress = await being_read(page, system, "still.pdf")
    with system.stopped("ocr"):
        await until_kind(progress, "stalled")
        await picture(page, "live-stalled")
    await until_kind(progress, "completed")
    document_id = (await system.newest())["document_id"]
    assert await system.slices_done(document_id) == {0: 1, 1: 1, 2: 1, 3: 1}


async def test_cancelling_is_shown_until_nobody_works_on_the_document_any_more(
    page: Page, system: RunningSystem
) -> None:
    progress = await being_read(page, system, "stopping.pdf")
    with system.stopped("ocr"):
        await progress.get_by_role("button", name="Cancel").click()
        await until_kind(progress, "cancelling")
        await picture(page, "live-cancelling")
    await until_kind(progress, "cancelled")
    assert system.at_work() == []


async def test_what_is_done_and_not_stored_yet_is_shown_as_that(page: Page, system: RunningSystem) -> None:
    progress = await being_read(page, system, "storing.pdf")
    document_id = (await system.newest())["document_id"]
    async with held(system, document_id):
        await until_kind(progress, "storing")
        await picture(page, "live-storing")
    await until_kind(progress, "completed")


@asynccontextmanager
async def held(system: RunningSystem, document_id: str) -> AsyncIterator[None]:
    """Nobody else can store what was extracted from the document: a transaction that never ends has touched its row."""
    async with system.database() as database, await database.client.start_session() as session:
        rows = database.projection("extractions", str(await database.live_generation()))
        async with session.start_transaction():
            await rows.insert_one({"_id": document_id}, session=session)
            try:
                yield
            finally:
                await session.abort_transaction()


async def test_a_document_with_a_page_that_cannot_be_read_is_partial_and_says_which(
    page: Page, system: RunningSystem
) -> None:
    progress = await drop(page, pdfs.thread(), "thread.pdf")
    await until_kind(progress, "partial")
    await expect(progress).to_contain_text("Not readable: page 2.")
    await expect(progress.get_by_role("button", name="Retry")).to_be_visible()
    await picture(page, "live-partial")
