"""Images, decoded by Pillow: the header is judged before a pixel is unpacked."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from services.ocr.limits import check_pages
from services.ocr.pages import page, placed, scaled, slices
from services.ocr.recognition import preparation
from services.ocr.recognition.reading import Reader
from services.ocr.recognition.resolution import reduction, shown
from services.ocr.settings import OcrSettings
from shared.errors import Rejected
from shared.harness.contract import Result, Slice, Task
from shared.media_types import Kind

# A second frame of a JPEG or PNG is a preview or an animation of the first, never a page.
_PAGED: Final = frozenset({Kind.TIFF, Kind.GIF, Kind.WEBP})
# The kinds read here, by their names in Pillow.
FORMATS: Final[Mapping[Kind, str]] = {
    **{kind: kind.upper() for kind in (Kind.PNG, Kind.JPEG, Kind.TIFF, Kind.WEBP, Kind.BMP, Kind.GIF)},
    Kind.HEIC: "HEIF",
}
# What Pillow's decoders raise on damaged input.
_DAMAGE: Final = (OSError, SyntaxError, ValueError, TypeError, ArithmeticError, EOFError, LookupError, struct.error)
_COLOURLESS: Final = frozenset({"1", "L", "I", "I;16", "I;16B", "I;16L", "F"})  # Pillow's modes
_FAX: Final = (1.5, 2.5)  # pixels across to pixels down of such a fax; other ratios are slips of the header

Image.MAX_IMAGE_PIXELS = None  # Pillow's limit only warns; ours refuses, by the header


def sliced(task: Task, kind: Kind, settings: OcrSettings) -> tuple[Slice, ...]:
    """One slice a frame. Raises Rejected: corrupt_image, too_large, too_many_pages."""
    with _opened(task.source, kind) as image:
        _check_size(image, 1, settings)
        with _decoding():
            frames = int(getattr(image, "n_frames", 1)) if kind in _PAGED else 1
    check_pages(frames, settings.max_pages)
    return slices(kind, ["ocr"] * frames)


def read(task: Task, slice_: Slice, settings: OcrSettings, reader: Reader) -> list[Result]:
    """The frame of one slice, turned as its EXIF data asks. Raises Rejected: corrupt_image, too_large."""
    number = (slice_.pages or (1, 1))[0]
    task.tick("ocr.reading_page", 0.0, page=number)
    with _frame(task, slice_, number, settings) as image:
        picture = _upright(image, "L")
    fitting = preparation.resized(picture, reduction(*picture.size, settings.max_render_pixels))
    lines = placed(reader(fitting), scaled(picture.width / fitting.width, picture.height / fitting.height))
    return [page(number, lines, source="ocr", size=picture.size)]


def picture(task: Task, slice_: Slice, settings: OcrSettings, width: int) -> Image.Image:
    """The frame of one slice as its words were measured on, at most `width` pixels wide; in colour if it has some.

    Raises Rejected: corrupt_image, too_large.
    """
    number = (slice_.pages or (1, 1))[0]
    with _frame(task, slice_, number, settings) as image:
        if image.format == "JPEG":  # unpacked at half or a quarter where that is enough; sideways it may be as long
            image.draft(None, (2 * width, 2 * width))
        found = _upright(image, "L" if image.mode in _COLOURLESS else "RGB")
    return preparation.resized(found, min(1.0, shown(*found.size, width)))


@contextmanager
def _frame(task: Task, slice_: Slice, number: int, settings: OcrSettings) -> Iterator[Image.Image]:
    """Frame `number` of the image, not unpacked yet, and no larger than the limit."""
    with _opened(task.source, Kind(slice_.args["kind"])) as image:
        if number > 1:  # the first is open already, and of a HEIC it need not be frame 0
            with _decoding():
                image.seek(number - 1)
        _check_size(image, number, settings)
        yield image


@contextmanager
def _opened(path: Path, kind: Kind) -> Iterator[Image.Image]:
    if kind is Kind.HEIC:
        _learn_heic()
    with path.open("rb") as file:
        with _decoding():
            image = Image.open(file, formats=[FORMATS[kind]])
        with image:
            yield image


@cache
def _learn_heic() -> None:
    import pillow_heif  # noqa: PLC0415  20 MB that most children never need

    pillow_heif.register_heif_opener(thumbnails=False)


@contextmanager
def _decoding() -> Iterator[None]:
    """Around Pillow's decoders and nothing of ours, so that a mistake here is not taken for a damaged image."""
    try:
        yield
    except _DAMAGE as error:
        raise Rejected("corrupt_image", detail=_plain(error)) from error


def _plain(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its header cannot be read"
    return "it is cut off" if "truncated" in str(error) else "its pixels cannot be decoded"


def _check_size(image: Image.Image, number: int, settings: OcrSettings) -> None:
    if image.width * image.height > settings.max_image_pixels:
        facts = {"what": f"Page {number}", "got": f"{image.width} x {image.height} pixels"}
        limit = f"{settings.max_image_pixels} pixels in all"
        raise Rejected("too_large", **facts, limit=limit, setting="PAGESTREAM_OCR_MAX_IMAGE_PIXELS")


def _upright(image: Image.Image, mode: str) -> Image.Image:
    """The frame on white, turned as its EXIF data asks, in gray ("L") or colour ("RGB")."""
    with _decoding():
        upright = ImageOps.exif_transpose(image)
        upright.load()
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(paper, upright)
    # 16-bit scans: Pillow would clip them to white
    if upright.mode.startswith(("I", "F")):
        upright = preparation.eight_bits(upright)
    return _squared(upright.convert(mode), image.info.get("dpi"))


def _squared(picture: Image.Image, dpi: tuple[float, float] | None) -> Image.Image:
    """The picture with square pixels: a fax of standard quality has half as many down as across (ITU-T T.4)."""
    across, down = (float(each) for each in dpi or (1, 1))
    if not down or not _FAX[0] < across / down < _FAX[1]:
        return picture
    return picture.resize((picture.width, round(picture.height * across / down)), Image.Resampling.BICUBIC)
