"""What a person sees and can do: every state, hostile names, the keyboard, and what axe says of it."""

from typing import Any, Final

import pytest
from playwright.async_api import Dialog, Page, expect

from tests.browser.axe import expect_accessible, judge, picture
from tests.browser.dropping import drop, until_kind
from tests.browser.states import SHOW, states
from tests.support import pdfs
from tests.support.running_system import RunningSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

HOSTILE: Final = "<img src=x onerror=alert(1)>.pdf"
ALONE: Final = """(id) => {
  globalThis.told = [];
  const element = document.createElement("document-progress");
  element.setAttribute("document-id", id);
  element.lang = "de";
  element.addEventListener("document-change", (event) => told.push(event.detail.kind));
  document.querySelector("main").replaceChildren(element);
}"""


async def test_a_failed_document_stands_where_the_server_says_with_what_to_do(
    page: Page, system: RunningSystem
) -> None:
    progress = await drop(page, pdfs.broken("Torn"), "torn.pdf")
    await until_kind(progress, "failed")
    newest = await system.newest()
    shown = await progress.get_by_role("progressbar").get_attribute("aria-valuenow")
    assert (shown, newest["filename"]) == (str(int(newest["percent"])), "torn.pdf")
    await expect(progress).to_contain_text("The PDF is damaged")
    await expect(progress).to_contain_text("Open and save it again")
    await expect(progress.get_by_role("button", name="Retry")).to_be_visible()


async def test_a_document_is_cancelled_and_retried_with_its_buttons(page: Page, system: RunningSystem) -> None:
    progress = await drop(page, pdfs.scan(4, title="Stop"), "stop.pdf")
    await until_kind(progress, "running")
    await progress.get_by_role("button", name="Cancel").click()
    await until_kind(progress, "cancelled")
    await progress.get_by_role("button", name="Retry").click()
    await until_kind(progress, "completed")


async def test_a_hostile_name_and_hostile_text_stay_text(page: Page) -> None:
    alerts: list[str] = []

    async def note(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", note)
    progress = await drop(page, pdfs.born_digital(1, title=HOSTILE), HOSTILE)
    await until_kind(progress, "completed")
    await page.get_by_role("link", name=HOSTILE).click()
    await expect(page.get_by_role("tabpanel").first).to_contain_text("onerror=alert(1)")
    assert await page.locator("img[onerror]").count() == 0
    assert alerts == []


async def test_a_document_is_opened_with_the_keyboard_alone(page: Page) -> None:
    progress = await drop(page, pdfs.letter("Keyboard"), "keys.png", "image/png")
    await until_kind(progress, "completed")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "keys.png":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1, name="keys.png")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_state_is_pictured_and_axe_finds_nothing(page: Page, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.evaluate("customElements.whenDefined('document-progress')")
    await page.evaluate(SHOW, states())
    await picture(page, f"states-{scheme}")
    await expect_accessible(page)


async def test_axe_finds_nothing_on_the_list_and_on_a_document(page: Page) -> None:
    progress = await drop(page, pdfs.born_digital(1, title="Axe"), "axe.pdf")
    await until_kind(progress, "completed")
    await judge(page, "list")
    await page.get_by_role("link", name="axe.pdf").click()
    await expect(page.get_by_role("tabpanel").first).to_contain_text(pdfs.sentence(0))
    await judge(page, "document")


async def test_the_element_alone_follows_a_document_says_its_connection_and_tells_its_page(
    page: Page, system: RunningSystem
) -> None:
    document_id = await system.upload(pdfs.scan(3, title="Alone"), "alone.pdf")
    await page.evaluate(ALONE, document_id)
    element = page.locator("main > document-progress")
    await expect(element).to_have_attribute("connection", "websocket")
    await expect(element.get_by_text("Live über WebSocket")).to_be_visible()
    await until_kind(element, "completed")
    await expect(element.get_by_text("Fertig", exact=True)).to_be_visible()
    assert (await page.evaluate("globalThis.told"))[-1] == "completed"
