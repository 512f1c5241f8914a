"""Reading one picture: once if that goes well, again straightened or turned if not; the better reading is kept.

Where much ink lies outside of all words, a second engine, which takes the page for one block of text, adds what it
finds there: the first takes a receipt's column of prices, or cells within frames, for a picture and leaves it out. It
is shown only what is left, which it reads better and in less than half the time (measured on 8 scans and photos).

Sideways pages need no turn of ours: the engine finds upright lines by itself, and reads them either well or upside down
(measured on 4 scans and photos at 90, 180 and 270 degrees).
"""

from collections.abc import Callable
from functools import partial
from math import cos, radians, sin
from typing import Final, NamedTuple

from PIL import Image

from services.ocr.pages import Line, completed, confidence_of, placed, scaled, words_of
from services.ocr.recognition import preparation
from services.ocr.recognition.resolution import enlargement

Reader = Callable[[Image.Image], tuple[Line, ...]]  # one gray picture to its lines, boxes in pixels

# Mean word confidences, measured: print 86-96, print upside down 25-35, print at 8 degrees 80 with half of it lost.
_UPSIDE_DOWN: Final = 60
_CLEAN: Final = 90
_SURE: Final = 60  # a word from here on counts when readings are compared
_STEEP: Final = 4.0  # degrees; from here on the engine loses words at whatever confidence
# Share of the ink outside of all words from which a page is read a second time. Print alone leaves 0.000 to 0.001, a
# form that lost a column 0.03, a receipt on a table 0.8.
_MISSED: Final = 0.025
_SKEWED: Final = 1.25  # degrees; with less it reads as well as without


class _Reading(NamedTuple):
    lines: tuple[Line, ...]
    way: Callable[[Reader], Reader]  # how the picture was turned for it


def read_picture(picture: Image.Image, engine: Reader, second: Reader | None) -> tuple[Line, ...]:
    """The lines of a gray picture, boxes in its pixels. A blank page has none. `second`: an engine for what is left."""
    even = preparation.flattened(picture)
    if preparation.is_blank(even):
        return ()
    factor = enlargement(*even.size)
    sized = preparation.resized(even, factor)
    best = _best(sized, engine)
    lines = best.lines
    seen = [word.box for word in words_of(lines)]
    if second and preparation.unread(sized, seen) >= _MISSED:
        lines = completed(lines, best.way(second)(preparation.blanked(sized, seen)), _SURE)
    return placed(lines, scaled(1 / factor, 1 / factor))


def _best(picture: Image.Image, engine: Reader) -> _Reading:
    angle = preparation.skew(picture)
    straight = partial(straightening, angle)
    steep = abs(angle) >= _STEEP
    upright, other = (straight, _as_it_is) if steep else (_as_it_is, straight)
    best = _Reading(upright(engine)(picture), upright)
    if abs(angle) >= _SKEWED and _confidence(best.lines) < _CLEAN:
        best = _better(best, _Reading(other(engine)(picture), other))
    if _confidence(best.lines) < _UPSIDE_DOWN:
        best = _better(best, _Reading(upright(turning(engine))(picture), lambda engine: upright(turning(engine))))
    return best


def _as_it_is(engine: Reader) -> Reader:
    return engine


def _better(first: _Reading, other: _Reading) -> _Reading:
    return max(first, other, key=lambda reading: _letters_sure(reading.lines))


def _confidence(lines: tuple[Line, ...]) -> float:
    return confidence_of(words_of(lines)) or 0.0


def _letters_sure(lines: tuple[Line, ...]) -> int:
    return sum(len(word.text) for word in words_of(lines) if (word.confidence or 0) >= _SURE)


def turning(engine: Reader) -> Reader:
    """The engine, reading upside down; boxes stay those of the picture it is given."""

    def read(picture: Image.Image) -> tuple[Line, ...]:
        width, height = picture.size
        return placed(engine(preparation.turned(picture)), lambda x, y: (width - x, height - y))

    return read


def straightening(degrees: float, engine: Reader) -> Reader:
    """The engine, reading the picture turned counter-clockwise by `degrees`; boxes stay those of the picture."""
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))

    def read(picture: Image.Image) -> tuple[Line, ...]:
        straight = preparation.straightened(picture, degrees)

        def back(x: float, y: float) -> tuple[float, float]:
            x, y = x - straight.width / 2, y - straight.height / 2
            return picture.width / 2 + cosine * x - sine * y, picture.height / 2 + sine * x + cosine * y

        return placed(engine(straight), back)

    return read
