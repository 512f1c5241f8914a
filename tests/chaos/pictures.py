"""Documents for faults: small, quickly made, and each page asks the fake recogniser for something."""

from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

SIDE: Final = 160  # pixels
PLAIN, SEGFAULT, MEMORY, SPIN = 1, 2, 3, 4  # what a page asks for: its width as a multiple of its height


def page(wish: int = PLAIN, side: int = SIDE) -> Image.Image:
    """A sheet with a line of ink: a blank one is not read."""
    sheet = Image.new("L", (wish * side, side), 255)
    ImageDraw.Draw(sheet).rectangle((20, side // 2, wish * side - 20, side // 2 + 8), fill=0)
    return sheet


def picture(wish: int = PLAIN, side: int = SIDE) -> bytes:
    """A PNG of one page."""
    file = BytesIO()
    page(wish, side).save(file, "PNG")
    return file.getvalue()


def scan(*wishes: int) -> bytes:
    """A PDF of pictures only, a page for each wish."""
    first, *others = (page(wish) for wish in wishes)
    file = BytesIO()
    first.save(file, "PDF", resolution=150, save_all=True, append_images=others)
    return file.getvalue()


def note(number: int) -> bytes:
    """A plain text that needs no recogniser."""
    return f"Note {number}\n\nInvoice number: RE-2025-{number:04}\nTotal: EUR {number}.00\n".encode()
