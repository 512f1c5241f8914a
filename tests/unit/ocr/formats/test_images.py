import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.ocr.formats import images
from services.ocr.formats.sniffing import kind_of
from services.ocr.pages import Line, Word
from services.ocr.settings import OcrSettings
from shared.errors import Rejected
from shared.harness.contract import Result, Task
from shared.media_types import Kind
from tests.unit.ocr.conftest import TaskOf
from tests.unit.ocr.documents import drawn

SETTINGS = OcrSettings()


class Eye:
    """An engine that keeps what it is shown, and finds one word in the corner of it."""

    def __init__(self) -> None:
        self.seen: list[Image.Image] = []

    def __call__(self, picture: Image.Image) -> tuple[Line, ...]:
        self.seen.append(picture)
        return (Line((Word("corner", (0, 0, picture.width, picture.height), 90),)),)


def looked_at(task: Task, settings: OcrSettings = SETTINGS) -> tuple[list[Result], list[Image.Image]]:
    eye = Eye()
    kind = kind_of(task.source)
    slices = images.sliced(task, kind, settings)
    return [page for slice_ in slices for page in images.read(task, slice_, settings, eye)], eye.seen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_every_kind_is_decoded_to_gray(kind: str, path: Path, task_of: TaskOf) -> None:
    drawn().convert("RGB").save(path, format=kind)
    ((page,), (seen,)) = looked_at(task_of(path))
    assert (seen.mode, seen.size) == ("L", (1700, 700))
    assert (page["width"], page["height"], page["source"]) == (1700, 700, "ocr")
    assert np.asarray(seen).min() < 40


def test_every_page_of_a_tiff_is_a_slice(path: Path, task_of: TaskOf) -> None:
    frames = [Image.new("1", (300 + number, 200), number % 2) for number in range(3)]
    frames[0].save(path, format="TIFF", save_all=True, append_images=frames[1:], compression="group4")
    found, seen = looked_at(task_of(path))
    assert [page["page"] for page in found] == [1, 2, 3]
    assert [picture.width for picture in seen] == [300, 301, 302]


def test_exif_turns_the_picture_upright(path: Path, task_of: TaskOf) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    drawn().save(path, format="JPEG", exif=exif)
    ((page,), _) = looked_at(task_of(path))
    assert (page["width"], page["height"]) == (700, 1700)


def test_cmyk_ink_is_dark(path: Path, task_of: TaskOf) -> None:
    drawn().convert("RGB").convert("CMYK").save(path, format="JPEG")
    (_, (seen,)) = looked_at(task_of(path))
    assert np.median(np.asarray(seen)) > 240
    assert np.asarray(seen).min() < 60


def test_transparent_paper_is_white(path: Path, task_of: TaskOf) -> None:
    clear = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    clear.putpixel((5, 5), (0, 0, 0, 255))
    clear.save(path, format="PNG")
    (_, (seen,)) = looked_at(task_of(path))
    assert (seen.getpixel((0, 0)), seen.getpixel((5, 5))) == (255, 0)


def test_sixteen_bits_are_not_clipped_to_white(path: Path, task_of: TaskOf) -> None:
    Image.fromarray(np.asarray(drawn(), dtype=np.uint16) * 257).save(path, format="PNG")
    (_, (seen,)) = looked_at(task_of(path))
    assert np.asarray(seen).min() == 0


def test_a_fax_of_standard_quality_gets_square_pixels(path: Path, task_of: TaskOf) -> None:
    Image.new("1", (1728, 1100), 1).save(path, format="TIFF", dpi=(204, 98))
    (_, (seen,)) = looked_at(task_of(path))
    assert seen.size == (1728, 2290)


def test_a_preview_within_a_photo_is_no_page(path: Path, task_of: TaskOf) -> None:
    drawn().save(path, format="MPO", save_all=True, append_images=[drawn(size=(160, 120))])
    assert len(images.sliced(task_of(path), Kind.JPEG, SETTINGS)) == 1


def test_a_picture_larger_than_the_engine_gets_shrinks_and_its_boxes_do_not(path: Path, task_of: TaskOf) -> None:
    drawn(size=(2000, 1000)).save(path, format="PNG")
    ((page,), (seen,)) = looked_at(task_of(path), OcrSettings(max_render_pixels=500_000))
    assert seen.size == (1000, 500)
    assert page["words"][0]["box"] == [0, 0, 2000, 1000]


def test_a_bomb_is_refused_by_its_header(path: Path, task_of: TaskOf) -> None:
    header = struct.pack(">4sIIBBBBB", b"IHDR", 30_000, 30_000, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\0IDAT")
    with pytest.raises(Rejected) as refused:
        images.sliced(task_of(path), Kind.PNG, SETTINGS)
    assert (refused.value.code, refused.value.facts["got"]) == ("too_large", "30000 x 30000 pixels")


def test_too_many_frames_are_refused(path: Path, task_of: TaskOf) -> None:
    frame = Image.new("1", (8, 8))
    frame.save(path, format="TIFF", save_all=True, append_images=[frame] * 3)
    with pytest.raises(Rejected) as refused:
        images.sliced(task_of(path), Kind.TIFF, OcrSettings(max_pages=3))
    assert (refused.value.code, refused.value.facts["got"]) == ("too_many_pages", 4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
@pytest.mark.parametrize("kept", [0.02, 0.5])
def test_a_truncated_picture_is_corrupt(kind: str, kept: float, path: Path, task_of: TaskOf) -> None:
    drawn().convert("RGB").save(path, format=kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(16, int(len(whole) * kept))])
    with pytest.raises(Rejected) as refused:
        looked_at(task_of(path))
    assert refused.value.code == "corrupt_image"
    assert refused.value.facts["detail"]
