"""The whole way of a document through the page, and what may happen while one watches."""

import re
import time
from statistics import median
from typing import Final

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.browser.dropping import drop, progress_of, until_kind
from tests.support import pdfs
from tests.support.running_system import RunningSystem

NO_SOCKETS: Final = """
globalThis.WebSocket = class {
  constructor() { setTimeout(() => this.onclose?.({ code: 1006 })); }
  close() {}
};
"""
TIMED: Final = """
globalThis.arrived = {};
globalThis.shown = {};
globalThis.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address);
    this.addEventListener("message", ({ data }) => {
      const { op, document } = JSON.parse(data);
      if (op === "update" && document) arrived[Math.floor(document.percent)] ??= performance.now();
    });
  }
};
const look = () => {
  const bar = document.querySelector("#list document-progress")?.shadowRoot?.querySelector("[role=progressbar]");
  if (bar) shown[bar.getAttribute("aria-valuenow")] ??= performance.now();
  requestAnimationFrame(look);
};
look();
"""
WEIGHT: Final = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map(({ transferSize }) => transferSize).reduce((one, other) => one + other)"""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def test_a_dropped_file_shows_a_bar_within_a_second_and_ends_with_its_text(page: Page) -> None:
    progress = await drop(page, pdfs.scan(2, title="Way"), "way.pdf")
    dropped = time.monotonic()
    await progress.wait_for()
    assert time.monotonic() - dropped < 1
    await until_kind(progress, "completed")
    assert await progress.get_by_role("progressbar").get_attribute("aria-valuenow") == "100"
    await page.get_by_role("link", name="way.pdf").click()
    await expect(page.get_by_role("tabpanel").first).to_contain_text(pdfs.sentence(0))


async def test_a_frame_is_on_the_screen_within_a_tenth_of_a_second(page: Page) -> None:
    await page.add_init_script(TIMED)
    await page.reload()
    await page.locator("#connection[data-kind=websocket]").wait_for()
    await until_kind(await drop(page, pdfs.scan(6, title="Frames"), "frames.pdf"), "completed")
    arrived, shown = await page.evaluate("[arrived, shown]")
    took = [shown[percent] - arrived[percent] for percent in arrived.keys() & shown.keys() - {"0"}]
    assert len(took) > 3
    assert median(took) < 100, took


async def test_the_page_weighs_less_than_100_kb_before_thumbnails(page: Page) -> None:
    assert 10_000 < await page.evaluate(WEIGHT) < 100_000


async def test_a_reload_in_the_middle_and_a_second_tab_show_the_same_until_the_end(
    page: Page, context: BrowserContext
) -> None:
    progress = await drop(page, pdfs.scan(4, title="Reload"), "reload.pdf")
    await until_kind(progress, "running")
    await page.reload()
    second = await context.new_page()
    await second.goto("/")
    for tab in (page, second):
        await until_kind(progress_of(tab, "reload.pdf"), "completed")


async def test_a_cut_network_is_said_and_nothing_is_missed(
    page: Page, context: BrowserContext, system: RunningSystem
) -> None:
    progress = await drop(page, pdfs.scan(2, title="Cut"), "cut.pdf")
    await until_kind(progress, "pending", "running")
    document_id = str((await system.newest())["document_id"])
    await context.set_offline(True)
    await expect(page.locator("#connection")).to_have_attribute("data-kind", "offline", timeout=30_000)
    await system.until(document_id)
    await context.set_offline(False)
    await until_kind(progress, "completed")


async def test_a_killed_gateway_is_found_again_and_nothing_is_missed(page: Page, system: RunningSystem) -> None:
    progress = await drop(page, pdfs.scan(3, title="Gateway"), "gateway.pdf")
    await until_kind(progress, "pending", "running")
    await system.kill("gateway")
    await until_kind(progress, "completed")
    await expect(page.locator("#connection")).to_have_attribute("data-kind", re.compile("websocket|sse|poll"))


@pytest.mark.parametrize(("events", "connection"), [(True, "sse"), (False, "poll")])
async def test_where_websockets_are_blocked_the_page_falls_back_and_says_so(
    context: BrowserContext, events: bool, connection: str
) -> None:
    await context.add_init_script(NO_SOCKETS)
    if not events:
        await context.route("**/v1/live?feed=*", refuse)
    page = await context.new_page()
    await page.goto("/")
    await page.locator(f"#connection[data-kind={connection}]").wait_for()
    progress = await drop(page, pdfs.letter(f"Over {connection}"), f"{connection}.png", "image/png")
    await until_kind(progress, "completed")


async def refuse(route: Route) -> None:
    """What a proxy does to what it does not know."""
    await route.abort()
