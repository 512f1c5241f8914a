"""Where content is not there yet, never was or could not be had: it is said, and asking again is offered."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, WebSocketRoute, expect

from tests.browser.axe import judge
from tests.support import pdfs
from tests.support.running_system import RunningSystem
from tests.support.wait import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

AWAY: Final = "The database is away."


class View(NamedTuple):
    """A part of the page: the calls it makes, what it says until they are answered, and something of the answer."""

    name: str
    calls: str
    loading: str
    content: str


TABS: Final = [
    View("Pages", "**/pages", "Loading pages…", pdfs.sentence(0)),
    View("Findings", "**/extraction", "Loading findings…", "Keywords"),
    View("Chunks", "**/chunks?*", "Loading chunks…", pdfs.sentence(0)),
    View("Timeline", "**/timeline?*", "Loading the timeline…", "Uploaded"),
]
SHARE: Final = View("Share…", "**/v1/tokens?*", "Loading links…", "Nobody has a link to this document.")
SEARCH: Final = View("Search names and texts", "**/v1/search?*", "Searching…", "gaps.pdf")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document_id(system: RunningSystem) -> str:
    """A completed document."""
    document_id = await system.upload(pdfs.born_digital(1, title="Gaps"), "gaps.pdf")
    assert (await system.until(document_id))["status"] == "completed"
    return document_id


async def opened(page: Page, document_id: str, view: View) -> Locator:
    """The part of the page, just asked for."""
    if view is SEARCH:
        await page.get_by_label(view.name).fill("gaps")
        return page.locator("#hits")
    await page.goto(f"/#/documents/{document_id}")
    if view is SHARE:
        await page.get_by_role("button", name=view.name).click()
        return page.get_by_role("dialog")
    await page.get_by_role("tab", name=view.name, exact=True).click()
    return page.get_by_role("tabpanel", name=view.name)


@asynccontextmanager
async def held(page: Page, calls: str) -> AsyncIterator[None]:
    """Calls wait for their answer until leaving."""
    leaving = asyncio.Event()

    async def wait(route: Route) -> None:
        await leaving.wait()
        await route.continue_()

    await page.route(calls, wait)
    try:
        yield
    finally:
        leaving.set()  # from now on the route lets everything through


@asynccontextmanager
async def refused(page: Page, calls: str) -> AsyncIterator[None]:
    """Calls are refused until leaving, as by a gateway that has lost its database."""

    async def refuse(route: Route) -> None:
        await route.fulfill(status=503, json={"code": "database_unavailable", "detail": AWAY})

    await page.route(calls, refuse)
    try:
        yield
    finally:
        await page.unroute(calls, refuse)


@pytest.mark.parametrize("view", [*TABS, SHARE, SEARCH], ids=lambda view: view.name)
async def test_what_loads_says_so(page: Page, document_id: str, view: View) -> None:
    async with held(page, view.calls):
        part = await opened(page, document_id, view)
        await expect(part.get_by_text(view.loading)).to_be_visible()
        await judge(page, f"loading-{slug(view)}")
    await expect(part).to_contain_text(view.content)
    await expect(part.get_by_text(view.loading)).to_be_hidden()


@pytest.mark.parametrize("view", [*TABS, SHARE, SEARCH], ids=lambda view: view.name)
async def test_what_could_not_be_had_says_why_and_is_asked_for_again(page: Page, document_id: str, view: View) -> None:
    async with refused(page, view.calls):
        part = await opened(page, document_id, view)
        await expect(part).to_contain_text(AWAY)
        again = part.get_by_role("button", name="Try again")
        await again.click()
        await expect(part).to_contain_text(AWAY)
        await judge(page, f"problem-{slug(view)}")
    await again.press("Enter")
    await expect(part).to_contain_text(view.content)
    await expect(again).to_be_hidden()
    if view in TABS:
        await expect(part).to_be_focused()


async def test_a_page_whose_text_could_not_be_had_is_asked_for_again(page: Page, document_id: str) -> None:
    async with refused(page, "**/pages/1"):
        part = await opened(page, document_id, TABS[0])
        await expect(part).to_contain_text(AWAY)
    await part.get_by_role("button", name="Try again").click()
    await expect(part).to_contain_text(pdfs.sentence(0))


async def test_a_system_that_does_not_answer_is_asked_again_by_itself(page: Page) -> None:
    async with held(page, "**/v1/system"):
        await page.get_by_role("link", name="System", exact=True).click()
        await expect(page.locator(".system")).to_contain_text("Asking how everything is…")
        await judge(page, "loading-system")
    await expect(page.locator(".verdict")).to_be_visible()
    async with refused(page, "**/v1/system"):
        await expect(page.locator(".system")).to_contain_text(AWAY)
        await expect(page.locator(".system")).to_contain_text("What follows is as of")
        await expect(page.get_by_role("heading", name="Stages")).to_be_visible()
        await expect(page.locator(".verdict")).to_be_hidden()  # nobody knows
        await judge(page, "problem-system")
    await expect(page.locator(".system")).not_to_contain_text(AWAY)
    await expect(page.locator(".verdict")).to_be_visible()


async def test_a_list_says_that_it_loads_and_one_without_documents_says_that(page: Page) -> None:
    asked: list[str] = []
    sockets: list[WebSocketRoute] = []

    def listen(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.on_message(lambda frame: asked.append(str(frame)))

    await page.route_web_socket("**/v1/live*", listen)
    await page.reload()
    await expect(page.locator("#empty")).to_have_text("Loading documents…")
    await judge(page, "loading-list")
    await until(lambda: asked, what="the page subscribes")
    subscribed = json.loads(asked[0])
    answer = {"op": "snapshot", "ref": subscribed["ref"], "feed": "documents", "epoch": "g1", "version": 0}
    sockets[0].send(json.dumps({**answer, "documents": []}))
    await expect(page.locator("#empty")).to_have_text("No documents yet.")
    await judge(page, "empty-list")


def slug(view: View) -> str:
    """The name of the view's pictures."""
    return view.name.split()[0].strip("…").lower()
