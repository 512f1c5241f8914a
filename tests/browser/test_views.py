"""What a person finds in a document, goes back to, shares and looks up, and how the system is seen."""

import re
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.axe import judge
from tests.support import pdfs
from tests.support.extractions import an_extraction
from tests.support.running_system import RunningSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

TITLE: Final = "<b>Lease</b>"  # to be read, never to be interpreted
WORD: Final = "meadow"  # on the second page of born-digital papers


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document_id(system: RunningSystem) -> str:
    """A completed document of three pages."""
    document_id = await system.upload(pdfs.born_digital(3, title=TITLE), "views.pdf")
    assert (await system.until(document_id))["status"] == "completed"
    return document_id


async def open_tab(page: Page, document_id: str, name: str) -> Locator:
    """The panel of a tab of the document."""
    await page.goto(f"/#/documents/{document_id}")
    await page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel", name=name)


async def answer(page: Page, path: str, status: int, body: Any) -> None:
    """Let calls to `path` (a pattern) be answered with this, as a gateway might."""

    async def fulfil(route: Route) -> None:
        await route.fulfill(status=status, json=body, content_type="application/json")

    await page.route(path, fulfil)


async def test_chunks_point_to_their_place_and_light_it_up(page: Page, document_id: str) -> None:
    panel = await open_tab(page, document_id, "Chunks")
    chunk = panel.get_by_role("listitem").filter(has_text=WORD)
    await expect(chunk).to_contain_text(TITLE)
    await judge(page, "chunks")
    await chunk.get_by_role("button", name="Show on page 2").click()
    await expect(page.get_by_role("heading", name="Page 2")).to_be_visible()
    await expect(page.locator(".page-text mark")).to_contain_text(WORD)
    await expect(page.locator(".page-words .found").filter(has_text=WORD)).to_have_count(1)
    await judge(page, "chunk-on-its-page")


async def test_many_chunks_are_loaded_page_by_page(page: Page, document_id: str, system: RunningSystem) -> None:
    real = (await system.get(f"{document_id}/chunks"))["chunks"][0]
    chunks = [{**real, "index": n, "text": f"Piece {n}"} for n in range(3)]
    await answer(page, "**/chunks?limit=*", 200, {"chunks": chunks[:2], "next_cursor": "more"})
    await answer(page, "**/chunks?limit=*&cursor=more", 200, {"chunks": chunks[2:], "next_cursor": None})
    panel = await open_tab(page, document_id, "Chunks")
    await expect(panel.get_by_role("listitem")).to_have_count(2)
    await panel.get_by_role("button", name="Show more chunks").click()
    await expect(panel.get_by_role("listitem")).to_have_text([re.compile(f"Piece {n}") for n in range(3)])
    await expect(panel.get_by_role("button", name="Show more chunks")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"chunks": [], "next_cursor": None}, "There is no text in this document."),
        (409, {"code": "not_ready", "detail": "no"}, "Chunks appear here when the text has been cut."),
        (503, {"code": "database_unavailable", "detail": "The database is away."}, "The database is away."),
    ],
)
async def test_chunks_that_are_not_there_are_explained(
    page: Page, document_id: str, status: int, body: Any, said: str
) -> None:
    await answer(page, "**/chunks?*", status, body)
    panel = await open_tab(page, document_id, "Chunks")
    await expect(panel).to_contain_text(said)


async def test_a_warning_about_the_findings_is_a_sentence(page: Page, document_id: str) -> None:
    warning = {"code": "sum_mismatch", "text": "The total is not the sum of net and tax."}
    await answer(page, "**/extraction", 200, an_extraction("Invoice 7", [], [warning]))
    panel = await open_tab(page, document_id, "Findings")
    await expect(panel.locator(".warnings").get_by_role("listitem")).to_have_text([warning["text"]])


async def test_a_row_of_the_timeline_shows_the_document_as_it_was(
    page: Page, document_id: str, system: RunningSystem
) -> None:
    panel = await open_tab(page, document_id, "Timeline")
    rows = (await system.get(f"{document_id}/timeline"))["events"]
    facts = panel.locator(".fact")
    await expect(facts).to_have_count(len(rows))
    await expect(facts.filter(has_text="Stage ocr completed")).to_contain_text(re.compile(r"took \d"))
    await expect(facts.nth(1)).to_contain_text(re.compile(r"\+\d"))
    await expect(panel.locator(".span")).to_have_text([re.compile(rf"{name}.*\d m?s") for name in ("Text", "Ch", "Fi")])
    await judge(page, "timeline")
    summary = page.locator(".summary")
    shown = summary.locator("document-progress.large")
    await facts.nth(0).click()
    await expect(summary).to_contain_text("As it was at")
    await expect(shown).to_have_attribute("kind", "pending")
    await expect(shown.get_by_role("button", name="Delete")).to_be_hidden()
    await judge(page, "past")
    await summary.get_by_role("button", name="Back to now").click()
    await expect(shown).to_have_attribute("kind", "completed")
    await expect(panel.locator("[aria-current]")).to_have_count(0)


async def test_a_german_browser_is_told_the_timeline_in_german(
    browser: Browser, document_id: str, system: RunningSystem
) -> None:
    guest = await browser.new_page(base_url=system.url, locale="de-DE")
    try:
        panel = await open_tab(guest, document_id, "Verlauf")
        facts = panel.locator(".fact .what")
        await expect(facts.first).to_have_text("Hochgeladen")
        await expect(facts.filter(has_text="Texterkennung: begonnen, Versuch 1")).to_have_count(1)
        await expect(facts.last).to_have_text("Erledigt")
    finally:
        await guest.close()


async def test_the_timeline_is_travelled_with_the_keyboard(page: Page, document_id: str) -> None:
    panel = await open_tab(page, document_id, "Timeline")
    await panel.locator(".fact").last.focus()
    shown = page.locator("document-progress.large")
    await page.keyboard.press("Home")
    await expect(panel.locator(".fact").first).to_be_focused()
    await expect(shown).to_have_attribute("kind", "pending")
    await page.keyboard.press("ArrowDown")
    await expect(shown).to_have_attribute("kind", "running")
    await page.keyboard.press("Enter")  # the same row again: back to now
    await expect(shown).to_have_attribute("kind", "completed")


async def test_a_past_that_cannot_be_read_is_said_and_the_present_stays(page: Page, document_id: str) -> None:
    await answer(page, "**/timeline/*", 503, {"code": "log_unavailable", "detail": "The log is away.", "action": ""})
    panel = await open_tab(page, document_id, "Timeline")
    await panel.locator(".fact").first.click()
    await expect(page.locator("#notices")).to_contain_text("The log is away.")
    await expect(page.locator(".past")).to_be_hidden()
    await expect(page.locator("document-progress.large")).to_have_attribute("kind", "completed")


async def test_a_shared_link_opens_one_document_without_a_key_and_only_to_watch(
    page: Page, document_id: str, browser: Browser, system: RunningSystem
) -> None:
    link = await share(page, document_id, "Watch")
    await expect(page.get_by_role("dialog").get_by_text("Links that work now")).to_be_visible()
    await judge(page, "share")
    guest = await browser.new_page(base_url=system.url, locale="en-GB")
    await guest.goto(link)
    await expect(guest.locator("#guest")).to_contain_text("Shared with you to watch, until")
    await expect(guest.get_by_role("heading", level=1, name="views.pdf")).to_be_visible()
    await expect(guest.locator(".page-text")).to_contain_text(pdfs.sentence(0))
    for name in ("Delete", "Share…", "Retry", "Cancel"):
        await expect(guest.get_by_role("button", name=name)).to_be_hidden()
    for name in ("System", "← All documents"):
        await expect(guest.get_by_role("link", name=name)).to_be_hidden()
    await judge(guest, "guest")
    await page.get_by_role("button", name="Withdraw").first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("Nobody has a link to this document.")
    await expect(guest.get_by_text("This link does not open anything any more")).to_be_visible()
    await judge(guest, "guest-over")
    await guest.close()


async def test_a_link_to_control_offers_cancel_and_retry_but_no_deletion(
    page: Page, browser: Browser, system: RunningSystem
) -> None:
    torn = await system.upload(pdfs.broken(), "shared-torn.pdf")
    await system.until(torn)
    link = await share(page, torn, "Watch, retry and cancel")
    guest = await browser.new_page(base_url=system.url, locale="en-GB")
    await guest.goto(link)
    await expect(guest.get_by_role("button", name="Retry")).to_be_visible()
    await expect(guest.get_by_role("button", name="Delete")).to_be_hidden()
    async with guest.expect_response(re.compile("/retry$")) as sent:
        await guest.get_by_role("button", name="Retry").click()
    assert (await sent.value).status == 202
    await guest.close()


async def share(page: Page, document_id: str, right: str) -> str:
    """The link that the dialog makes for `right`."""
    await page.goto(f"/#/documents/{document_id}")
    await page.get_by_role("button", name="Share…").click()
    dialog = page.get_by_role("dialog", name="Share this document")
    await expect(dialog).to_contain_text("Nobody has a link to this document.")
    await dialog.get_by_label(right, exact=True).check()
    await dialog.get_by_role("button", name="Create and copy link").click()
    link = dialog.get_by_label("The link")
    await expect(link).to_have_value(re.compile("token=pst_"))
    await expect(dialog.get_by_role("button", name="Withdraw")).to_have_count(1)
    return await link.input_value()


async def test_search_finds_texts_and_leads_to_the_place(page: Page, document_id: str) -> None:
    await page.get_by_label("Search names and texts").fill(f"{WORD} lease")
    hit = page.locator(f'.hit[href*="{document_id}"]').filter(has_text=WORD)
    await expect(hit).to_contain_text("page 2 · by words", timeout=60_000)  # the first search loads the model
    await expect(hit.locator("mark").filter(has_text=WORD)).to_have_count(1)
    await judge(page, "search")
    await hit.click()
    await expect(page.get_by_role("heading", name="Page 2")).to_be_visible()
    await expect(page.locator(".page-text mark")).to_contain_text(WORD)
    await expect(page.get_by_role("heading", level=1, name="views.pdf")).to_be_focused()


async def test_search_filters_names_and_says_when_nothing_or_no_answer_was_found(page: Page, document_id: str) -> None:
    await answer(page, "**/v1/search?*", 200, {"results": [], "next_cursor": None})
    search = page.get_by_label("Search names and texts")
    await search.fill("VIEWS.p")
    await expect(page.locator("#hits")).to_contain_text("No text matches “VIEWS.p”.")
    await expect(page.locator("#list .row")).to_have_count(1)
    await search.fill("zyzzyva")
    await expect(page.locator("#empty")).to_have_text("No document has “zyzzyva” in its name.")
    await answer(page, "**/v1/search?*", 503, {"code": "database_unavailable", "detail": "The database is away."})
    await search.fill("zyzzyvas")
    await expect(page.locator("#hits")).to_contain_text("The database is away.")
    await answer(page, "**/v1/search?*", 200, {"results": [], "next_cursor": None, "complete": False})
    await search.fill("zyzzyva")
    await expect(page.locator("#hits")).to_contain_text("Older documents are still being indexed")
    await search.fill("")
    await expect(page.locator("#hits")).to_be_hidden()
    await expect(page.locator("#list .row").first).to_be_visible()


async def test_the_system_is_seen_with_its_workers_readers_and_failures(page: Page, system: RunningSystem) -> None:
    await system.until(await system.upload(pdfs.broken(), "system-torn.pdf"))
    await page.get_by_role("link", name="System", exact=True).click()
    await expect(page.get_by_role("heading", level=1, name="System")).to_be_focused()
    await expect(page.locator(".verdict")).to_have_text(re.compile("All is well|Catching up"))
    await expect(page.get_by_role("row", name=re.compile("Text recognition 1"))).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("progress"))).to_contain_text("up to date")
    await expect(page.get_by_role("row", name=re.compile("corrupt_pdf"))).to_be_visible()
    await judge(page, "system")


async def test_a_system_that_is_not_well_says_so_first(page: Page) -> None:
    fold = {"name": "progress", "at": "2026-01-01T00:00:00Z", "lag": 7, "halted": "it needs a newer release"}
    sick = {
        "workers": [], "stages": {}, "folds": [{**fold, "silent": True}], "lag": 7, "halted": ["progress"],
        "failures": {}, "parked": 3, "connections": {"sockets": 0, "streams": 0}, "epoch": None,
    }  # fmt: skip
    await answer(page, "**/v1/system", 200, sick)
    await page.get_by_role("link", name="System", exact=True).click()
    await expect(page.locator(".verdict")).to_have_text("Halted, a person is needed: progress.")
    for said in ("No worker is alive.", "it needs a newer release", "pagestream parked list"):
        await expect(page.locator(".system")).to_contain_text(said)
    await judge(page, "system-halted")
    worker = {"name": "here/ocr", "stage": "ocr", "slots": 2, "kept_network": "Operation not permitted"}
    await answer(
        page, "**/v1/system", 200,
        sick | {"workers": [worker], "stages": {"ocr": {"workers": 1, "slots": 2, "busy": 0}}},
    )  # fmt: skip
    await expect(page.locator(".system")).to_contain_text("network within reach", timeout=15_000)
    await answer(page, "**/v1/system", 503, {"code": "database_unavailable", "detail": "The database is away."})
    await expect(page.locator(".system[data-old]")).to_contain_text("The database is away.")  # what was shown stays
