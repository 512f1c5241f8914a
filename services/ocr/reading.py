"""Reading one picture: once if that goes well, again straightened or turned if not; the better reading is kept.

Sideways pages need no turn of ours: the engine finds upright lines by itself, and reads them either well or upside down
(measured on 4 scans and photos at 90, 180 and 270 degrees).
"""

from collections.abc import Callable
from math import cos, radians, sin
from typing import Final

from PIL import Image

from services.ocr import preparation
from services.ocr.pages import Line, confidence_of, placed, scaled, words_of
from services.ocr.resolution import enlargement

Engine = Callable[[Image.Image], tuple[Line, ...]]

# Mean word confidences, measured: print 86-96, print upside down 25-35, print at 8 degrees 80 with half of it lost.
_UPSIDE_DOWN: Final = 60
_CLEAN: Final = 90
_SURE: Final = 60  # a word from here on counts when readings are compared
_STEEP: Final = 4.0  # degrees; from here on the engine loses words at whatever confidence
_SKEWED: Final = 1.25  # degrees; with less it reads as well as without


def read_picture(picture: Image.Image, engine: Engine) -> tuple[Line, ...]:
    """The lines of a gray picture, boxes in its pixels. A blank page has none."""
    even = preparation.flattened(picture)
    if preparation.is_blank(even):
        return ()
    factor = enlargement(*even.size)
    return placed(_best(preparation.resized(even, factor), engine), scaled(1 / factor, 1 / factor))


def _best(picture: Image.Image, engine: Engine) -> tuple[Line, ...]:
    angle = preparation.skew(picture)
    straight = straightening(angle, engine)
    steep = abs(angle) >= _STEEP
    best = straight(picture) if steep else engine(picture)
    if abs(angle) >= _SKEWED and _confidence(best) < _CLEAN:
        best = max(best, engine(picture) if steep else straight(picture), key=_letters_sure)
    if _confidence(best) < _UPSIDE_DOWN:
        turned = turning(engine)
        other = straightening(angle, turned) if steep else turned
        best = max(best, other(picture), key=_letters_sure)
    return best


def _confidence(lines: tuple[Line, ...]) -> float:
    return confidence_of(words_of(lines)) or 0.0


def _letters_sure(lines: tuple[Line, ...]) -> int:
    return sum(len(word.text) for word in words_of(lines) if (word.confidence or 0) >= _SURE)


def turning(engine: Engine) -> Engine:
    """The engine, reading upside down; boxes stay those of the picture it is given."""

    def read(picture: Image.Image) -> tuple[Line, ...]:
        width, height = picture.size
        return placed(engine(preparation.turned(picture)), lambda x, y: (width - x, height - y))

    return read


def straightening(degrees: float, engine: Engine) -> Engine:
    """The engine, reading the picture turned counter-clockwise by `degrees`; boxes stay those of the picture."""
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))

    def read(picture: Image.Image) -> tuple[Line, ...]:
        straight = preparation.straightened(picture, degrees)

        def back(x: float, y: float) -> tuple[float, float]:
            x, y = x - straight.width / 2, y - straight.height / 2
            return picture.width / 2 + cosine * x - sine * y, picture.height / 2 + sine * x + cosine * y

        return placed(engine(straight), back)

    return read
