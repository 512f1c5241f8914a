"""Documents that the tests draw for themselves."""

from PIL import Image, ImageDraw, ImageFont

LETTER = (
    "The harbour office wrote on Monday about the mooring",
    "ring at berth sixteen. It has been loose since the storm",
    "of last winter, and two boats were damaged because of it.",
    "Please send somebody before the end of the month.",
)


def drawn(lines: tuple[str, ...] = LETTER, size: tuple[int, int] = (1700, 700), font_size: int = 48) -> Image.Image:
    """Black print on white paper."""
    sheet = Image.new("L", size, 255)
    font = ImageFont.load_default(font_size)
    for row, line in enumerate(lines):
        ImageDraw.Draw(sheet).text((100, 100 + row * font_size * 2), line, fill=0, font=font)
    return sheet


def handwritten_pdf(*objects: str) -> bytes:
    """A PDF of the given objects, numbered from 1; the first is the catalogue."""
    written, places = "%PDF-1.6\n", []
    for number, what in enumerate(objects, start=1):
        places.append(f"{len(written):010} 00000 n \n")
        written += f"{number} 0 obj\n{what}\nendobj\n"
    size = len(objects) + 1
    table = f"xref\n0 {size}\n0000000000 65535 f \n{''.join(places)}"
    end = f"trailer\n<< /Root 1 0 R /Size {size} >>\nstartxref\n{len(written)}\n%%EOF\n"
    return (written + table + end).encode("latin-1")


def one_page_pdf(page: str, content: str = "", *more: str, catalogue: str = "") -> bytes:
    """A PDF of one page with Helvetica as /F; `page` are entries of its dictionary, `more` objects from number 6."""
    return handwritten_pdf(
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F 5 0 R >> >> /Contents 4 0 R {page} >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        *more,
    )
