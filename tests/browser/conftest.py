"""What the browser tests share: one Chromium, and a page that tolerates no violation."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.support.running_system import RunningSystem

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HERE: Final = Path(__file__).parent
MISSING: Final = "no Chromium on PATH; on Debian: apt install chromium"
LISTEN: Final = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
TOLERATED: Final = ("Failed to load resource", "WebSocket connection to")  # lines that we cut ourselves


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the browser tests where there is no browser, and say how to get one."""
    for item in items:
        if HERE in item.path.parents and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; root has no sandbox of its own to put it into."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, system: RunningSystem) -> AsyncIterator[BrowserContext]:
    """A browser profile of its own; the test fails when a page of it throws or breaks the security policy."""
    await system.call("GET", "/readyz")
    wrong: list[str] = []
    context = await browser.new_context(base_url=system.url, locale="en-GB", viewport={"width": 1100, "height": 800})
    await context.add_init_script(LISTEN)
    context.on("weberror", lambda event: wrong.append(str(event.error)))
    context.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    yield context
    await context.close()
    assert [line for line in wrong if not line.startswith(TOLERATED)] == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    """The page at `/`, connected."""
    page = await context.new_page()
    await page.goto("/")
    await page.locator("#connection[data-kind=websocket]").wait_for()
    return page
