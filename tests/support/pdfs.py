"""Documents for tests, made on the spot; all names and numbers are made up."""

from io import BytesIO
from typing import Final

from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

A4_150: Final = (1240, 1754)  # pixels of a page at 150 dpi
WORDS: Final = ("harbour", "meadow", "lantern", "orchard", "thunder", "village", "whisper", "cottage")


def sentence(number: int) -> str:
    """What stands on a page and on no other."""
    return f"Page {number + 1} speaks of the {WORDS[number % 8]} and nothing else"


def scan(pages: int, *, title: str = "Protocol") -> bytes:
    """A PDF of images only: each page must be recognised."""
    sheets = [sheet(title, number) for number in range(pages)]
    file = BytesIO()
    sheets[0].save(file, "PDF", resolution=150, save_all=True, append_images=sheets[1:])
    return file.getvalue()


def sheet(title: str, number: int) -> Image.Image:
    """A page of such a scan."""
    paper = Image.new("L", A4_150, 250)
    draw = ImageDraw.Draw(paper)
    lines = [title, sentence(number), *(f"Line {n} of a protocol about boats and bridges" for n in range(1, 15))]
    for place, line in enumerate(lines):
        draw.text((120, 140 + place * 80), line, fill=20, font=ImageFont.load_default(34))
    return paper


def born_digital(pages: int, *, title: str = "Invoice") -> bytes:
    """A PDF with a text layer."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=12)
    for number in range(pages):
        pdf.add_page()
        lines = [title, sentence(number), "Invoice number: RE-2025-0042", "Date: 12 March 2025", "Total: EUR 119.00"]
        pdf.multi_cell(0, 8, "\n".join([*lines, *(f"Line {n} of it" for n in range(20))]))
    return bytes(pdf.output())


def letter(name: str) -> bytes:
    """A picture of a few lines, quickly recognised."""
    image = Image.new("L", (900, 300), 255)
    draw = ImageDraw.Draw(image)
    for place, line in enumerate((f"Dear {name}", "the boat has arrived", "and all is well")):
        draw.text((60, 40 + place * 70), line, fill=0, font=ImageFont.load_default(40))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def thread() -> bytes:
    """A PDF with a page of text and one that is far too long and thin to be read."""
    pdf = FPDF()
    pdf.set_font("Helvetica", size=12)
    pdf.add_page()
    pdf.multi_cell(0, 8, sentence(0))
    pdf.add_page(format=(1e8, 0.1))
    pdf.image(sheet("Thread", 1), 0, 0, 1e8, 0.1)
    return bytes(pdf.output())


def broken(title: str = "Invoice") -> bytes:
    """A PDF that was cut off in the middle."""
    whole = born_digital(3, title=title)
    return whole[: len(whole) // 2]
