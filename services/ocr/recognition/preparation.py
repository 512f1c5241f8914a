"""Making a picture easy to read: even light, the right way up, straight. All pictures here are gray ("L")."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from services.ocr.pages import Box

VERSION: Final = 3  # part of a plan's id: raise it when the same picture would read differently

_SHRUNK: Final = 8  # the light is measured on a picture this many times smaller
_REACH: Final = 7  # of those small pixels: wider than a stroke, narrower than a shadow
_EVEN: Final = 235  # paper lighter than this nearly everywhere needs no correction
_DARK: Final = 100  # a page whose middle gray is under this is light print on dark
_INK: Final = 190  # darker than this, on paper made white, is ink
_SPECKS: Final = 1e-5  # share of ink up to which a page is blank: dust and noise
_SKEW_SIDE: Final = 800  # pixels; skew is measured on a picture no larger
_SKEWS: Final = np.radians(np.arange(-15, 15.01, 0.25))


def eight_bits(image: Image.Image) -> Image.Image:
    """A picture of deeper samples (modes I, F), its darkest black and its lightest white."""
    samples = np.asarray(image, dtype=np.float32)
    low, high = float(samples.min()), float(samples.max())
    return Image.fromarray(((samples - low) * (255 / max(high - low, 1))).astype(np.uint8))


def flattened(picture: Image.Image) -> Image.Image:
    """The picture divided by its background: shadows go, paper becomes white, print stays. Dark pages are inverted."""
    if np.median(np.asarray(picture.reduce(_SHRUNK))) < _DARK:
        picture = ImageOps.invert(picture)
    small = picture.reduce(_SHRUNK).filter(ImageFilter.MaxFilter(_REACH)).filter(ImageFilter.BoxBlur(_REACH // 2))
    if np.percentile(np.asarray(small), 2) >= _EVEN:
        return picture
    paper = np.maximum(np.asarray(small.resize(picture.size, Image.Resampling.BILINEAR)), 1)
    lit = np.asarray(picture, dtype=np.uint16) * 255 // paper
    return Image.fromarray(np.minimum(lit, 255).astype(np.uint8))


def is_blank(picture: Image.Image) -> bool:
    """Whether a flattened picture has no ink."""
    return sum(picture.histogram()[:_INK]) <= picture.width * picture.height * _SPECKS


def blanked(picture: Image.Image, boxes: Iterable[Box]) -> Image.Image:
    """The picture without what stands in `boxes` (in its pixels), and without the soft edge of that."""
    rest = picture.copy()
    draw = ImageDraw.Draw(rest)
    for x0, y0, x1, y1 in boxes:
        draw.rectangle((x0 - 1, y0 - 1, x1 + 1, y1 + 1), fill=255)
    return rest


def unread(picture: Image.Image, boxes: Iterable[Box]) -> float:
    """The share (0..1) of a flattened picture's ink that lies outside of all `boxes` (x0, y0, x1, y1 in its pixels)."""
    ink = np.asarray(picture.reduce(_SHRUNK)) < _INK
    total = int(ink.sum())
    outside = ink.copy()
    for box in boxes:
        x0, y0, x1, y1 = (max(0, int(edge / _SHRUNK)) for edge in box)
        outside[max(0, y0 - 1) : y1 + 2, max(0, x0 - 1) : x1 + 2] = False
    return int(outside.sum()) / total if total else 0.0


def resized(picture: Image.Image, factor: float) -> Image.Image:
    """The picture `factor` times as large, at least one pixel a side."""
    if factor == 1:
        return picture
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.resize(size, Image.Resampling.BICUBIC)


def turned(picture: Image.Image) -> Image.Image:
    """The picture upside down."""
    return picture.transpose(Image.Transpose.ROTATE_180)


def straightened(picture: Image.Image, degrees: float) -> Image.Image:
    """The picture turned counter-clockwise about its centre, on a sheet that holds all of it."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def skew(picture: Image.Image) -> float:
    """The degrees (within 15) by which to straighten a flattened picture.

    That is where the ink gathers in the fewest rows.
    """
    factor = max(1, max(picture.size) // _SKEW_SIDE)
    ink = np.asarray(picture.reduce(factor)) < _INK
    y, x = np.nonzero(ink)
    if len(y) == 0:
        return 0.0
    margin = ink.shape[1]
    sharpness = [
        float((np.bincount((y - x * np.tan(angle)).astype(np.int64) + margin).astype(float) ** 2).sum())
        for angle in _SKEWS
    ]
    return float(np.degrees(_SKEWS[int(np.argmax(sharpness))]))
