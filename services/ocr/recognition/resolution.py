"""How many pixels a page is worth: enough for the engine, never more than the source offers or the limit allows."""

from math import isfinite, sqrt
from typing import Final

_DPI: Final = 300  # what the engine's models were trained for
_POINTS_PER_INCH: Final = 72
# The long side of A4 at 300 dpi: a page that claims to be small but carries a sharp picture is rendered up to this.
_SHARP_SIDE: Final = 3508
# Under this long side a scan of a full page reads better enlarged (measured at 100 dpi: confidence 77 -> 87, 93 -> 96).
_LOW_SIDE: Final = 1650
_MAX_ENLARGEMENT: Final = 2.0
_ENGINE_SIDE: Final = 32_000  # Tesseract refuses more than 32,767 pixels a side
_SHOWN_PIXELS: Final = 16_000_000  # of a page that is looked at; a till receipt may be twenty times as long as wide
_SHOWN_SIDE: Final = 32_000  # JPEG ends at 65,535 pixels a side, and browsers show nothing much longer than this
_READABLE_SIDE: Final = 8  # pixels; nothing narrower holds a letter


def scale(width: float, height: float, offered: float | None, limit: int) -> float | None:
    """Pixels per point for a page of `width` x `height` points; None if it cannot be read within `limit` pixels.

    `offered` is the resolution of the picture that covers the page, in pixels per point; None if it is drawn.
    """
    if not (isfinite(width) and isfinite(height) and width > 0 and height > 0):
        return None
    long, short = max(width, height), min(width, height)
    wanted = _DPI / _POINTS_PER_INCH
    if offered is not None:
        wanted = max(min(offered, max(wanted, _SHARP_SIDE / long)), min(_LOW_SIDE / long, offered * _MAX_ENLARGEMENT))
    chosen = min(wanted, sqrt(limit / width / height), _ENGINE_SIDE / long)
    return chosen if short * chosen >= _READABLE_SIDE else None


def reduction(width: int, height: int, limit: int) -> float:
    """The factor (at most 1) that makes a picture of `width` x `height` pixels fit the limit and the engine."""
    return min(1.0, sqrt(limit / width / height), _ENGINE_SIDE / max(width, height))


def enlargement(width: int, height: int) -> float:
    """The factor (at least 1) by which a picture of `width` x `height` pixels is enlarged to be read better."""
    return min(max(1.0, _LOW_SIDE / max(width, height)), _MAX_ENLARGEMENT)


def shown(width: float, height: float, wanted: int) -> float:
    """The factor that makes a page `wanted` pixels wide, or less where it would become too large to be looked at."""
    factor = min(wanted / width, sqrt(_SHOWN_PIXELS / width / height), _SHOWN_SIDE / height)
    return factor * (1 - 1e-9)  # renderers round up, and a hair more than `wanted` would be a pixel more
