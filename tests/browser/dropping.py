"""What a person does on the page: drop a file, and find its row."""

import base64

from playwright.async_api import Locator, Page

_DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  const zone = document.querySelector("#drop");
  for (const kind of ["dragenter", "dragover", "drop"])
    zone.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


async def drop(page: Page, data: bytes, name: str, media_type: str = "application/pdf") -> Locator:
    """Drop a file onto the page; the <document-progress> of its row."""
    await page.evaluate(_DROP, [name, media_type, base64.b64encode(data).decode()])
    return progress_of(page, name)


def progress_of(page: Page, name: str) -> Locator:
    """The newest row of a document of that name."""
    return page.locator("#list document-progress").filter(has=page.get_by_text(name, exact=True)).first


async def until_kind(progress: Locator, *kinds: str, within: float = 60) -> None:
    """Return as soon as the element shows one of `kinds`."""
    wanted = progress.and_(progress.page.locator(", ".join(f'[kind="{kind}"]' for kind in kinds)))
    await wanted.wait_for(timeout=within * 1000)
