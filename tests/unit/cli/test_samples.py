"""The demo's documents are what they claim to be."""

from decimal import Decimal
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image
from stdnum import iban
from stdnum.de import vat

from cli import sample_texts, samples


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    return {file.name: file for file in samples.make(tmp_path_factory.mktemp("samples"))}


def text_of(file) -> list[str]:
    with pypdfium2.PdfDocument(file) as pdf:
        return [page.get_textpage().get_text_range() for page in pdf]


def test_the_scan_has_three_pages_of_pixels_and_no_text(made) -> None:
    file = made["scanned-handover.pdf"]
    assert text_of(file) == ["", "", ""]
    assert file.stat().st_size < 3_000_000
    with pypdfium2.PdfDocument(file) as pdf:
        darkest, lightest = pdf[0].render(scale=1, grayscale=True).to_pil().getextrema()
    assert darkest < 100
    assert lightest > 200


def test_the_invoice_says_what_it_is_about_on_three_pages(made) -> None:
    letter, items, terms = text_of(made["invoice.pdf"])
    assert "Invoice date: 17 March 2025" in letter
    assert sample_texts.IBAN in items
    assert "EUR 4,626.18" in items
    assert "Warranty" in terms


def test_the_receipt_is_a_photo_under_uneven_light(made) -> None:
    with Image.open(made["receipt.jpg"], formats=["JPEG"]) as photo:
        photo.load()
        gray = photo.convert("L")
    assert photo.mode == "RGB"
    near, far = gray.crop((400, 300, 420, 320)), gray.crop((980, 1560, 1000, 1580))
    assert near.getextrema()[1] - far.getextrema()[1] > 20


def test_the_broken_file_looks_like_a_pdf_and_cannot_be_opened(made) -> None:
    assert made["broken.pdf"].read_bytes().startswith(b"%PDF-")
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(made["broken.pdf"])


def test_the_same_bytes_come_out_each_time(made, tmp_path: Path) -> None:
    for file in samples.make(tmp_path):
        assert file.read_bytes() == made[file.name].read_bytes(), file.name


def test_numbers_with_check_digits_are_valid_and_the_receipt_adds_up() -> None:
    assert iban.is_valid(sample_texts.IBAN)
    assert vat.is_valid(sample_texts.VAT_ID)
    prices = dict(sample_texts.RECEIPT)
    names = list(prices)
    bought = names[names.index("Rye bread 1 kg") : names.index("Orange juice 0.3 l") + 1]
    assert sum(Decimal(prices[name] or 0) for name in bought) == Decimal(prices["TOTAL EUR"])
    assert Decimal(prices["Cash"]) - Decimal(prices["TOTAL EUR"]) == Decimal(prices["Change"])
