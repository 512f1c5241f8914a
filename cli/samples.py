"""The demo's documents: a scan, a born-digital PDF, a photo of a receipt and a damaged file.

All names, numbers and texts are made up; the IBAN and the VAT number have valid check digits, the phone number is of
the range that German networks keep free for fiction. The same bytes come out each time (one version of Pillow).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from fpdf import FPDF
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from cli import sample_texts as texts

DPI: Final = 200
A4: Final = (1654, 2339)  # pixels at DPI
WRITTEN: Final = datetime(2025, 3, 17, 9, 0, tzinfo=UTC)  # the creation date in the PDFs
RECEIPT: Final = (900, 1500)  # pixels of the slip, before it is photographed


def make(folder: Path) -> list[Path]:
    """Write the four sample documents into `folder` (made if missing) and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    invoice = _invoice()
    documents = {
        "scanned-handover.pdf": _scan(texts.HANDOVER),
        "invoice.pdf": invoice,
        "broken.pdf": invoice[: len(invoice) // 2],  # the catalogue at the end of the file is lost
    }
    for name, data in documents.items():
        (folder / name).write_bytes(data)
    _photo(texts.RECEIPT).save(folder / "receipt.jpg", quality=82)
    return [folder / name for name in ("scanned-handover.pdf", "invoice.pdf", "receipt.jpg", "broken.pdf")]


def _scan(pages: Sequence[Sequence[str]]) -> bytes:
    """An image-only PDF: each page printed, laid on the glass a little askew, and scanned with some noise."""
    pdf = _pdf()
    for number, lines in enumerate(pages):
        page = _printed(lines, number + 1, len(pages))
        askew = page.rotate((0.7, -0.5, 0.3)[number % 3], Image.Resampling.BICUBIC, fillcolor=248)
        pdf.add_page()
        scanned = BytesIO()
        _noisy(askew, seed=number, strength=7.0).save(scanned, "JPEG", quality=70)
        pdf.image(scanned, x=0, y=0, w=210, h=297)
    return bytes(pdf.output())


def _printed(lines: Sequence[str], number: int, total: int) -> Image.Image:
    """One gray page; a line that starts with "# " is a heading."""
    page = Image.new("L", A4, 248)
    draw = ImageDraw.Draw(page)
    y = 190
    for line in lines:
        heading = line.startswith("# ")
        draw.text((170, y), line.removeprefix("# "), fill=25, font=ImageFont.load_default(52 if heading else 40))
        y += 100 if heading else 64
    draw.text((A4[0] // 2 - 70, A4[1] - 150), f"Page {number} of {total}", fill=60, font=ImageFont.load_default(28))
    return page


def _noisy(image: Image.Image, seed: int, strength: float) -> Image.Image:
    """`strength`: standard deviation of the sensor's noise, in gray levels."""
    pixels = np.asarray(image, dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0.0, strength, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _invoice() -> bytes:
    """A born-digital invoice: a letter, the items with their sums, and the terms; a page each."""
    pdf = _pdf()
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 20)
    pdf.cell(0, 14, texts.INVOICE_TITLE, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, texts.INVOICE_HEAD, new_x="LMARGIN", new_y="NEXT")
    pdf.add_page()
    _items(pdf)
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 14)
    pdf.cell(0, 12, texts.TERMS_TITLE, new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", size=11)
    pdf.multi_cell(0, 6, texts.TERMS, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def _items(pdf: FPDF) -> None:
    with pdf.table(col_widths=(12, 88, 20, 30, 30), text_align=("R", "L", "R", "R", "R"), line_height=7) as table:
        table.row(("No.", "Description", "Qty", "Unit price", "Amount"))
        for number, (description, quantity, price) in enumerate(texts.ITEMS, start=1):
            table.row((str(number), description, str(quantity), f"{price:,.2f}", f"{quantity * price:,.2f}"))
    net = sum((quantity * price for _, quantity, price in texts.ITEMS), Decimal(0))
    tax = (net * texts.TAX_RATE).quantize(Decimal("0.01"))
    pdf.ln(4)
    for label, amount in (("Net amount", net), ("VAT 19 %", tax), ("Total due", net + tax)):
        pdf.set_font("Helvetica", "B" if label == "Total due" else "", 11)
        pdf.cell(135, 7, label, align="R")
        pdf.cell(0, 7, f"EUR {amount:,.2f}", align="R", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Helvetica", size=11)
    pdf.ln(4)
    pdf.multi_cell(0, 6, texts.PAYMENT, new_x="LMARGIN", new_y="NEXT")


def _pdf() -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(WRITTEN)
    pdf.set_auto_page_break(auto=True, margin=18)
    pdf.set_margins(20, 18, 20)
    return pdf


def _photo(lines: Sequence[tuple[str, str]]) -> Image.Image:
    """A receipt as a phone sees it: on a table, not quite from above, under one lamp, slightly out of focus."""
    slip = _slip(lines)
    width, height = 1200, 1800
    # Where the slip's corners lie on the photo, clockwise from the top left: narrower at the far end.
    corners = ((168, 140), (1042, 120), (1086, 1672), (124, 1690))
    # PERSPECTIVE maps the photo's pixels back to the slip's, hence the solution in this direction.
    back = _perspective(corners, ((0, 0), (slip.width, 0), (slip.width, slip.height), (0, slip.height)))
    paper = slip.transform((width, height), Image.Transform.PERSPECTIVE, back, Image.Resampling.BICUBIC, fillcolor=0)
    mask = Image.new("L", slip.size, 255).transform((width, height), Image.Transform.PERSPECTIVE, back)
    table = Image.new("L", (width, height), 96)
    table.paste(paper, mask=mask)
    lit = np.asarray(table.filter(ImageFilter.GaussianBlur(0.9)), dtype=np.float32) * _lamp(width, height)
    gray = _noisy(Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8)), seed=41, strength=4.0)
    warm = np.asarray(gray, dtype=np.float32)[..., None] * np.array([1.0, 0.96, 0.88], dtype=np.float32)
    return Image.fromarray(warm.astype(np.uint8), "RGB")


def _slip(lines: Sequence[tuple[str, str]]) -> Image.Image:
    """The receipt itself: what stands left, and the price column right; a line without a price is centred."""
    slip = Image.new("L", RECEIPT, 246)
    draw = ImageDraw.Draw(slip)
    font = ImageFont.load_default(38)
    y = 70
    for left, right in lines:
        if right:
            draw.text((70, y), left, fill=38, font=font)
            draw.text((RECEIPT[0] - 70, y), right, fill=38, font=font, anchor="ra")
        else:
            draw.text((RECEIPT[0] // 2, y), left, fill=38, font=font, anchor="ma")
        y += 58
    return slip


def _lamp(width: int, height: int) -> np.ndarray:
    """How much light falls on each pixel (0.55 in the far corner … 1.05 under the lamp)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot((x - 0.3 * width) / width, (y - 0.25 * height) / height)
    light: np.ndarray = np.clip(1.05 - 0.5 * distance, 0.55, 1.05)
    return light


def _perspective(seen: Sequence[tuple[int, int]], flat: Sequence[tuple[int, int]]) -> list[float]:
    """The eight coefficients that Pillow's PERSPECTIVE needs to fetch `flat` points for `seen` ones."""
    rows = [
        row
        for (x, y), (u, v) in zip(seen, flat, strict=True)
        for row in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))
    ]
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), np.array(flat, dtype=np.float64).reshape(8))
    return [float(value) for value in solved]
