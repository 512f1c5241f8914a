"""Pages as images: they show what the words' boxes were measured on, and are drawn outside of the gateway's process."""

import asyncio
import os
import signal
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tests.support import pdfs, processes
from tests.support.running_system import RunningSystem
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)

ORIENTATION: Final = 274  # the EXIF tag
PAPER: Final = pdfs.sheet("Protocol", 0).crop((0, 0, 1240, 800))
SURE: Final = 60
INK: Final = 128  # darker than this


def pdf(picture: Image.Image, turned: int = 0) -> bytes:
    """A PDF of one picture, which says of itself that it is shown `turned` degrees clockwise."""
    file, out = BytesIO(), BytesIO()
    picture.save(file, "PDF", resolution=150)
    with pypdfium2.PdfDocument(file.getvalue()) as document:
        page = document[0]
        page.set_rotation(turned)
        page.close()
        document.save(out)
    return out.getvalue()


def photo() -> bytes:
    """A picture that lies on its side, with the note of a camera how to turn it."""
    file, exif = BytesIO(), Image.Exif()
    exif[ORIENTATION] = 6
    PAPER.convert("RGB").rotate(90, expand=True).save(file, "JPEG", exif=exif, quality=90)
    return file.getvalue()


SCANS: Final[dict[str, Callable[[], bytes]]] = {
    "upright": lambda: pdf(PAPER),
    "lying on its side": lambda: pdf(PAPER.rotate(90, expand=True)),
    "turned by the PDF": lambda: pdf(PAPER.rotate(90, expand=True), turned=90),
    "fed in askew": lambda: pdf(PAPER.rotate(6, expand=True, fillcolor=250, resample=Image.Resampling.BICUBIC)),
    "turned by the camera": photo,
}


async def image_of(system: RunningSystem, document_id: str, page: int = 1, **query: Any) -> Image.Image:
    answer = await system.call("GET", f"/v1/documents/{document_id}/pages/{page}/image", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg"), answer.text
    return Image.open(BytesIO(answer.content))


def gateway_of(system: RunningSystem) -> int:
    gateway = system.pid_of("gateway")
    assert gateway
    return gateway


def painters_of(system: RunningSystem) -> list[int]:
    """The children of the gateway that draw pages."""
    commands = dict(processes.commands())
    return [pid for pid in processes.below(gateway_of(system)) if "services.ocr.page_drawing" in commands.get(pid, [])]


@pytest.mark.parametrize("scan", SCANS)
async def test_the_boxes_of_words_lie_on_their_ink_in_the_image(system: RunningSystem, scan: str) -> None:
    document_id = await system.upload(SCANS[scan](), "scan.jpg" if scan == "turned by the camera" else "scan.pdf")
    await system.until(document_id, {"completed"})
    page = await system.get(f"{document_id}/pages/1")
    image = await image_of(system, document_id)
    assert image.width == 1000
    assert image.height / image.width == pytest.approx(page["height"] / page["width"], abs=0.002)
    scale = image.width / page["width"]
    ink = np.asarray(image.convert("L")) < INK
    assert "harbour" in {word["text"] for word in page["words"] if word["confidence"] > SURE}
    boxed = np.zeros_like(ink)
    for word in page["words"]:
        x0, y0, x1, y1 = (round(edge * scale) for edge in word["box"])
        if word["confidence"] > SURE:  # the engine also sees ghosts, and says that it doubts them
            assert ink[y0 : y1 + 1, x0 : x1 + 1].mean() > 0.03, word
        boxed[max(0, y0 - 2) : y1 + 3, max(0, x0 - 2) : x1 + 3] = True
    assert ink[boxed].sum() > 0.97 * ink.sum()  # and hardly any lies elsewhere


async def test_an_image_is_drawn_once_kept_beside_its_document_and_erased_with_it(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.born_digital(2))
    await system.until(document_id, {"completed"})
    here = f"/v1/documents/{document_id}"
    first = await system.call("GET", f"{here}/pages/2/image")
    stored = system.folder / "blobs" / "default" / document_id
    (kept,) = stored.glob("ocr/*/image-2-1000")
    written = kept.stat().st_mtime_ns
    again = await system.call("GET", f"{here}/pages/2/image")
    assert (again.content, kept.stat().st_mtime_ns) == (first.content, written)
    known = await system.call("GET", f"{here}/pages/2/image", headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert (await image_of(system, document_id, width=123)).width == 123
    assert [path.name for path in stored.glob("ocr/*/image-*")] == [kept.name]  # odd sizes do not fill the store
    await system.call("DELETE", here)
    await until(lambda: not stored.exists(), within=30)
    assert (await system.call("GET", f"{here}/pages/2/image")).status_code == 404


async def test_an_image_is_drawn_in_a_process_group_of_its_own(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.scan(1))
    await system.until(document_id, {"completed"})
    await asyncio.gather(*(image_of(system, document_id, width=width) for width in range(1500, 1504)))
    assert 1 <= len(painters_of(system)) <= 2
    assert all(os.getsid(pid) == pid for pid in painters_of(system))
    assert "pdfium" not in processes.mapped(gateway_of(system))


async def test_a_painter_that_dies_costs_one_image_and_leaves_nothing(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.letter("Image"), "letter.png")
    await system.until(document_id, {"completed"})
    await image_of(system, document_id)
    for painter in painters_of(system):
        os.kill(painter, signal.SIGSTOP)
    asking = asyncio.create_task(system.call("GET", f"/v1/documents/{document_id}/pages/1/image?width=333"))

    def folders() -> list[Path]:
        return list(system.temporary.glob(f"pagestream-{gateway_of(system)}-*"))

    await until(lambda: len(folders()) == 2, within=20)  # one for what is asked, one for the child: it was asked
    for painter in painters_of(system):
        os.kill(painter, signal.SIGKILL)
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (409, "image_failed")
    assert "crashed (SIGKILL)" in answer.json()["detail"]
    assert (await image_of(system, document_id, width=333)).width == 333
    await until(lambda: not folders(), within=20)


async def test_a_picture_that_is_narrow_already_is_not_made_wider(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.letter("Image"), "letter.png")
    await system.until(document_id, {"completed"})
    assert (await image_of(system, document_id, width=2000)).size == (900, 300)
