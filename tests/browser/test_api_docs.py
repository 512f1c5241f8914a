"""`/docs` in a browser: every operation is there, every call can be tried with a key, and no other host is asked."""

from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Locator, Page, Request, expect

from tests.support.running_system import RunningSystem

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

UNKNOWN_KEY: Final = "psk_of_a_test"  # a key that was made would close this system to every other test


async def test_the_docs_show_every_operation_and_try_one_with_and_without_a_key(
    context: BrowserContext, system: RunningSystem
) -> None:
    page = await context.new_page()
    requests: list[Request] = []

    def record(request: Request) -> None:
        requests.append(request)

    page.on("request", record)
    await page.goto("/docs")
    await expect(page.locator(".opblock")).to_have_count(await _operations(page))
    operation = page.locator(".opblock-get").filter(has=page.locator('[data-path="/v1/documents"]'))
    await operation.locator(".opblock-summary-control").click()

    await _execute(operation, 200, "next_cursor")
    await _authorize(page)
    await _execute(operation, 401, "sign_in")

    tried = [await one.header_value("authorization") for one in requests if urlsplit(one.url).path == "/v1/documents"]
    assert tried == [None, f"Bearer {UNKNOWN_KEY}"]
    fetched = [urlsplit(one.url) for one in requests]
    assert {url.netloc for url in fetched if url.scheme not in ("data", "blob")} == {urlsplit(system.url).netloc}
    link = page.get_by_role("link", name="asyncapi.json")
    assert (await page.request.get(f"/{await link.get_attribute('href')}")).status == 200


async def _operations(page: Page) -> int:
    """The number of operations in the OpenAPI document."""
    document = await (await page.request.get("/openapi.json")).json()
    return sum(len(operations) for operations in document["paths"].values())


async def _execute(operation: Locator, status: int, body: str) -> None:
    """Send the request of an operation and wait for its answer."""
    await operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table tbody tr").first
    await expect(answer.locator(".response-col_status")).to_contain_text(str(status))
    await expect(answer.locator(".response-col_description")).to_contain_text(body)


async def _authorize(page: Page) -> None:
    """Enter a key in Swagger UI's dialog."""
    await page.locator(".auth-wrapper > .authorize").click()
    dialog = page.locator(".modal-ux")
    await dialog.locator("input").fill(UNKNOWN_KEY)
    await dialog.get_by_role("button", name="Apply credentials").click()
    await dialog.get_by_role("button", name="Close").first.click()
