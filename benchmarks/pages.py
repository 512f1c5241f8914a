"""Pages to measure with: scans at 300 dpi of a made-up letter, as a PDF and as the pictures in it."""

from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFont

A4_AT_300_DPI: Final = (2480, 3508)  # pixels
PROSE: Final = (
    "the harbour office confirms that the ring at berth fourteen was replaced in March and that the invoice of the "
    "yard was paid on receipt while the tide tables for the coming season are printed again because the earlier ones "
    "named the wrong lighthouse keeper whose lamp has been moved to the northern pier since the storm of last winter"
)


def scan(number: int) -> Image.Image:
    """Page `number` as a scanner sees it: gray, a little noise, always the same."""
    page = Image.new("L", A4_AT_300_DPI, 246)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(44)
    draw.text((260, 260), f"Record {number + 1} of the harbour office", fill=20, font=ImageFont.load_default(64))
    choice = np.random.default_rng(number)
    for line in range(40):
        words = choice.choice(PROSE.split(), 10)
        draw.text((260, 440 + 70 * line), " ".join(words), fill=28, font=font)
    noise = choice.normal(0.0, 6.0, (page.height, page.width))
    return Image.fromarray(np.clip(np.asarray(page, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


def scanned_pdf(pages: int, path: Path, *, first: int = 0, different: int | None = None) -> None:
    """A PDF of `pages` scans from number `first` on and nothing else; `different` of them over and over if given."""
    pdf = FPDF(format="A4")
    pdf.set_margin(0)
    pictures = [_jpeg(first + number) for number in range(different or pages)]
    for number in range(pages):
        pdf.add_page()
        pdf.image(pictures[number % len(pictures)], x=0, y=0, w=210, h=297)
    pdf.output(str(path))


def _jpeg(number: int) -> BytesIO:
    picture = BytesIO()
    scan(number).save(picture, "JPEG", quality=80, dpi=(300, 300))
    return picture
