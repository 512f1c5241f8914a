"""What axe-core has against a page, and pictures of it that stay after the run."""

from pathlib import Path
from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

SCREENSHOTS: Final = Path(__file__).parents[2] / "build" / "screenshots"  # kept after the run


async def expect_accessible(page: Page) -> None:
    """Fail with what axe-core has against the page as it stands."""
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def picture(page: Page, name: str) -> None:
    """Keep the page as it stands."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


async def judge(page: Page, name: str) -> None:
    """Keep the page in light and dark and narrow, and fail where axe-core has something against it."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await picture(page, f"{name}-{scheme}")
        await expect_accessible(page)
    whole = page.viewport_size
    assert whole
    await page.set_viewport_size({"width": 390, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than a phone"
    await picture(page, f"{name}-narrow")
    await page.set_viewport_size(whole)
    await page.emulate_media(color_scheme="light")
