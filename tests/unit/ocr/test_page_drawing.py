"""Pages as they are shown; that their geometry is that of the words is seen in the whole system (test_page_images)."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.ocr import documents, page_drawing
from services.ocr.recognition.resolution import shown
from services.ocr.settings import OcrSettings
from shared.errors import Rejected
from shared.harness.contract import Slice, Task
from tests.unit.ocr import office
from tests.unit.ocr.conftest import TaskOf
from tests.unit.ocr.documents import drawn, one_page_pdf


def image_of(task: Task, page: int = 1, width: int = 200) -> Image.Image:
    """Page `page` as the gateway asks for it: the slice that reads it, narrowed to that page."""
    slices = documents.sliced(task, OcrSettings())
    slice_ = next(one for one in slices if one.pages and one.pages[0] <= page <= one.pages[1])
    args = {**slice_.args, "width": width}
    found = page_drawing.work(task, Slice(weight=1, pages=(page, page), args=args))
    image = Image.open(BytesIO(base64.b64decode(found["image"])))
    assert image.size == (found["width"], found["height"])
    return image


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


@pytest.mark.parametrize("width", [16, 199, 1000, 1357, 2400])
def test_a_page_of_a_pdf_is_as_wide_as_asked_for_and_in_colour(width: int, path: Path, task_of: TaskOf) -> None:
    path.write_bytes(one_page_pdf("/MediaBox [0 0 595.28 841.89]", "1 0 0 rg 0 0 595 842 re f"))
    image = image_of(task_of(path), width=width)
    assert image.width == width
    assert image.height == pytest.approx(width * 841.89 / 595.28, abs=1)
    assert np.asarray(image.convert("RGB")).mean(axis=(0, 1)) == pytest.approx([254, 0, 0], abs=3)


def test_a_picture_is_made_smaller_and_never_larger(path: Path, task_of: TaskOf) -> None:
    drawn().save(path, format="PNG")
    assert image_of(task_of(path), width=850).size == (850, 350)
    assert image_of(task_of(path), width=2400).size == (1700, 700)


def test_a_photo_is_turned_and_what_its_camera_noted_stays_here(path: Path, task_of: TaskOf) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "A camera"  # turn it by 90 degrees; who made it
    left_is_blue = Image.new("RGB", (800, 600), "white")
    left_is_blue.paste("blue", (0, 0, 400, 600))
    left_is_blue.save(path, format="JPEG", exif=exif)
    image = image_of(task_of(path), width=60)
    assert (image.size, dict(image.getexif())) == ((60, 80), {})
    assert image.getpixel((30, 10))[2] > 200 > image.getpixel((30, 10))[0]  # type: ignore[index]
    assert image.getpixel((30, 70)) == pytest.approx((255, 255, 255), abs=3)


def test_what_is_transparent_is_white(path: Path, task_of: TaskOf) -> None:
    Image.new("RGBA", (100, 100), (0, 0, 0, 0)).save(path, format="PNG")
    assert np.asarray(image_of(task_of(path))).min() > 250


def test_a_scan_that_is_attached_to_a_mail_is_shown_and_the_mail_itself_is_text(path: Path, task_of: TaskOf) -> None:
    scan = BytesIO()
    drawn().save(scan, "PNG")
    path.write_bytes(bytes(office.mail("See attached.", scan_png=scan.getvalue())))
    assert image_of(task_of(path), page=2).size == (200, 82)
    with pytest.raises(Rejected) as refused:
        image_of(task_of(path), page=1)
    assert refused.value.code == "no_image"


def test_a_page_that_is_very_long_becomes_no_monster() -> None:
    factor = shown(100, 1_000_000, 2400)
    assert 1_000_000 * factor <= 32_000
    factor = shown(1000, 20_000, 2400)
    assert 1000 * factor * 20_000 * factor <= 16_000_000
