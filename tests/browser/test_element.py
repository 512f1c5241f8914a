"""<document-progress> in somebody's page: its states one by one, how it sounds, and what it does after a sleep."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.async_api import BrowserContext, Locator, Page, WebSocket, expect

from tests.browser.axe import SCREENSHOTS
from tests.browser.dropping import drop, until_kind
from tests.browser.states import LOST, SHOW, retry_at, view
from tests.support import pdfs
from tests.support.running_system import RunningSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

FOLLOW: Final = """([name, id]) => {
  const element = document.createElement("document-progress");
  element.setAttribute(name, id);
  document.querySelector("main").replaceChildren(element);
}"""
RUN: Final = """async (element, view) => {
  for (let tenths = 1; tenths < 1000; tenths += 1) {
    element.document = { ...view, percent: tenths / 10 };
    await null; // so that each change of the region is told
  }
}"""
SET: Final = "(element, view) => { element.document = view; }"
LISTEN: Final = """(element) => {
  const region = element.shadowRoot.querySelector("[aria-live=polite]");
  globalThis.heard = [];
  new MutationObserver(() => heard.push(region.textContent)).observe(region, { childList: true });
}"""
STYLE: Final = """(element, [part, pseudo, name]) =>
  getComputedStyle(element.shadowRoot.querySelector(part), pseudo)[name]"""
ERROR: Final = {
    "code": "provider_unavailable", "facts": {"provider": "ocr.example", "detail": "it answers with status 503"},
    "message": "ocr.example does not answer: it answers with status 503.", "stage": "ocr", "page": 7, "attempt": 2,
    "retryable": True, "action": "Nothing: it is tried again by itself.",
}  # fmt: skip
PAGES: Final = {"total": 40, "done": 38, "failed": [3, 9, 10]}
# kind -> its view, and what a person must be told
KINDS: Final[dict[str, tuple[dict[str, Any], list[str]]]] = {
    "pending": (view("uploaded", percent=0), ["Waiting", "0\u00a0%"]),
    "running": (
        view("processing", pages={"total": 40, "done": 17, "failed": []}, eta_seconds={"low": 12, "high": 20}),
        ["Recognised page 17 of 40", "17 of 40 pages", "12–20 s left", "42\u00a0%"],
    ),
    "storing": (view("processed", percent=99), ["Storing results"]),
    "retrying": (
        view("retrying", stages={"ocr": {"status": "retrying", "attempt": 2, "error": ERROR}},
             message=retry_at(datetime.now(UTC) + timedelta(minutes=4), reason=ERROR["message"])),
        ["Trying again", "ocr.example does not answer", "Text recognition, page 7, attempt 2", "Attempt 3 follows at"],
    ),
    "stalled": (
        view("processing", stages={"ocr": {"status": "stalled", "attempt": 2}}, message=LOST),
        ["Stalled", "handed to another one by itself", "attempt 2"],
    ),
    "cancelling": (view("cancelling"), ["Cancelling", "finished pages stay"]),
    "cancelled": (view("cancelled"), ["Cancelled"]),
    "failed": (
        view("failed", error={**ERROR, "code": "encrypted", "facts": {}, "message": "It is protected by a password.",
                              "action": "Remove the password."}),
        ["Failed", "It is protected by a password.", "page 7", "Remove the password."],
    ),
    "partial": (view("completed", percent=100, partial=True, pages=PAGES), ["Partly done", "pages 3, 9–10"]),
    "completed": (view("completed", percent=100), ["Completed", "100\u00a0%"]),
}  # fmt: skip
BUTTONS: Final = {
    "Retry": {"failed", "partial", "cancelled"},
    "Cancel": {"pending", "running", "storing", "retrying", "stalled"},
}


async def standing(page: Page, shown: dict[str, Any]) -> Locator:
    """One element alone on the page, with this view."""
    await page.evaluate("customElements.whenDefined('document-progress')")
    await page.evaluate(SHOW, [shown])
    return page.locator("main > document-progress")


@pytest.mark.parametrize("kind", KINDS)
async def test_each_state_says_what_a_person_needs_offers_what_can_be_done_and_is_pictured(
    page: Page, kind: str
) -> None:
    shown, told = KINDS[kind]
    element = await standing(page, shown)
    await expect(element).to_have_attribute("kind", kind)
    for words in told:
        await expect(element).to_contain_text(words)
    for name, kinds in BUTTONS.items():
        await expect(element.get_by_role("button", name=name)).to_be_visible(visible=kind in kinds)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await element.screenshot(path=SCREENSHOTS / f"state-{kind}.png")


async def test_a_reason_is_told_in_the_language_of_the_page(page: Page) -> None:
    await page.evaluate("document.documentElement.lang = 'de'")
    element = await standing(page, KINDS["retrying"][0])
    for words in (
        "Neuer Versuch",
        "ocr.example antwortet nicht",
        "Texterkennung, Seite 7, Versuch 2",
        "Versuch 3 folgt um",
    ):
        await expect(element).to_contain_text(words)


async def test_from_right_to_left_the_bar_grows_from_the_right_and_a_name_keeps_its_direction(page: Page) -> None:
    await page.evaluate("document.documentElement.dir = 'rtl'")
    element = await standing(page, {**KINDS["running"][0], "filename": "عقد الإيجار.pdf"})
    message, details = [await boxes(element, part) for part in ("message", "details")]
    assert message["x"] > details["x"] + details["width"] + 5  # the dot stands between them
    bar, track, name = [await boxes(element, part) for part in ("bar", "track", "heading")]
    assert bar["x"] + bar["width"] == pytest.approx(track["x"] + track["width"], abs=1)
    assert bar["x"] > track["x"] + 10
    assert name["x"] + name["width"] == pytest.approx(track["x"] + track["width"], abs=1)
    await element.screenshot(path=SCREENSHOTS / "state-rtl.png")


async def boxes(element: Locator, part: str) -> dict[str, float]:
    found = await element.locator(f"[part={part}]").bounding_box()
    assert found
    return dict(found)


async def test_the_live_region_tells_politely_of_each_quarter_and_each_state_and_of_nothing_else(page: Page) -> None:
    element = await standing(page, view("processing", percent=0))
    await element.evaluate(LISTEN)
    await element.evaluate(RUN, view("processing"))
    await element.evaluate(SET, KINDS["failed"][0])
    heard = await page.evaluate("globalThis.heard")
    assert heard[:-1] == [f"Processing, {percent}\u00a0%" for percent in (25, 50, 75)]
    assert heard[-1] == "Failed. It is protected by a password."


async def test_who_asks_for_less_motion_sees_none(page: Page) -> None:
    element = await standing(page, KINDS["running"][0])
    assert await element.evaluate(STYLE, [".bar", "::after", "animationName"]) == "sheen"
    await page.emulate_media(reduced_motion="reduce")
    assert await element.evaluate(STYLE, [".bar", "::after", "content"]) == "none"
    assert await element.evaluate(STYLE, [".bar", None, "transitionDuration"]) == "0s"


async def test_a_job_is_followed_by_its_id_to_its_end(page: Page, system: RunningSystem) -> None:
    made = await system.call("POST", "/v1/jobs", json={"title": "Nightly import"})
    job = f"/v1/jobs/{made.json()['job_id']}"
    await page.evaluate(FOLLOW, ["job-id", made.json()["job_id"]])
    element = page.locator("main > document-progress")
    await expect(element).to_contain_text("Nightly import")
    await system.call("POST", f"{job}/progress", json={"percent": 40, "message": "Row 400 of 1000"})
    await expect(element).to_contain_text("Row 400 of 1000")
    await expect(element.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "40")
    await expect(element.get_by_role("button")).to_have_count(0)
    await element.screenshot(path=SCREENSHOTS / "state-job.png")
    await system.call("POST", f"{job}/complete")
    await expect(element).to_have_attribute("kind", "completed")


async def test_a_page_that_slept_without_a_network_comes_back_and_resumes_by_version(
    page: Page, context: BrowserContext, system: RunningSystem
) -> None:
    document_id = await system.upload(pdfs.scan(3, title="Sleep"), "sleep.pdf")
    await page.evaluate(FOLLOW, ["document-id", document_id])
    element = page.locator("main > document-progress")
    await expect(element).to_have_attribute("connection", "websocket")
    sent: list[dict[str, Any]] = []
    page.on("websocket", lambda socket: listen(socket, sent))
    devtools = await context.new_cdp_session(page)
    await context.set_offline(True)
    await expect(element).to_have_attribute("connection", "offline", timeout=30_000)
    await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    await system.until(document_id)
    await devtools.send("Page.setWebLifecycleState", {"state": "active"})
    await context.set_offline(False)
    await expect(element).to_have_attribute("kind", "completed", timeout=30_000)
    resumed = [frame for frame in sent if frame.get("document_id") == document_id and frame["op"] == "subscribe"]
    assert resumed[-1]["have"]["version"] > 0


async def test_what_is_deleted_and_what_never_was_is_said(page: Page, system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.letter("Gone"), "gone.png")
    await page.evaluate(FOLLOW, ["document-id", document_id])
    element = page.locator("main > document-progress")
    await expect(element).to_contain_text("gone.png")
    await system.call("DELETE", f"/v1/documents/{document_id}")
    await expect(element).to_have_attribute("kind", "deleted", timeout=30_000)
    await expect(element).to_contain_text("This document was deleted.")
    await element.screenshot(path=SCREENSHOTS / "state-deleted.png")
    await page.evaluate(FOLLOW, ["document-id", str(uuid.uuid4())])
    await expect(element).to_have_attribute("kind", "unavailable", timeout=30_000)
    await expect(element).to_contain_text("There is no such document.")
    await element.screenshot(path=SCREENSHOTS / "state-unavailable.png")


async def test_what_is_not_accepted_says_why(page: Page) -> None:
    element = await drop(page, b"\x7fELF\x02\x01\x01" + bytes(64), "tool.bin", "application/octet-stream")
    await until_kind(element, "refused")
    await expect(element).to_contain_text("which Pagestream does not read")
    await element.screenshot(path=SCREENSHOTS / "state-refused.png")


def listen(socket: WebSocket, sent: list[dict[str, Any]]) -> None:
    """Keep what the page says on a socket."""
    socket.on("framesent", lambda frame: sent.append(json.loads(frame)))
