"""Numbers of documents, of accounts and of people to call."""

import pytest

from services.extractor.fields.check_digits import read_iban, read_vat
from services.extractor.fields.contacts import find_emails, find_phones, find_urls
from services.extractor.fields.hints import Hints
from services.extractor.fields.identifiers import find_ibans, find_numbers, find_vat_numbers
from services.extractor.fields.labels import fold
from services.extractor.fields.phones import read_phone


@pytest.mark.parametrize(
    ("text", "field", "number"),
    [
        ("Invoice INV/2023/03/0008", "invoice_number", "INV/2023/03/0008"),
        ("Invoice number: KOS-2025-00417", "invoice_number", "KOS-2025-00417"),
        ("Rechnungsnummer 4711", "invoice_number", "4711"),
        ("N° de facture : 2024-9", "invoice_number", "2024-9"),
        ("Factura nº: F-2024/092", "invoice_number", "F-2024/092"),
        ("Receipt  R-0058213", "receipt_number", "R-0058213"),
        ("TXN: TXN-98765-2024", "receipt_number", "TXN-98765-2024"),
        ("PO Number: po_number_123", "po_number", "po_number_123"),
        ("Quotation Q-7719", "quote_number", "Q-7719"),
        ("Preliminary Estimate (ID: EST-1008)", "estimate_number", "EST-1008"),
        ("Report ID: MED-2024-7", "report_number", "MED-2024-7"),
        ("Reference:\nCUSTREF123", "reference", "CUSTREF123"),
    ],
)
def test_a_label_names_the_number_of_a_document(text: str, field: str, number: str) -> None:
    assert [(f.field, f.normalized) for f in find_numbers(fold(text))] == [(field, number)]


@pytest.mark.parametrize(
    "text",
    [
        "Invoice date: 2024",
        "invoice of 20 May",
        "Receipt 2024-05-01",
        "PO Box 12",
        "Report total 1,204.50",
        "Invoice 2023",
    ],
)
def test_dates_amounts_and_counts_are_no_numbers_of_documents(text: str) -> None:
    assert list(find_numbers(fold(text))) == []


def test_an_iban_counts_only_with_right_check_digits() -> None:
    text = "DE89 3704 0044 0532 0130 00 BIC COBADEFF, DE88 3704 0044 0532 0130 00, GB29NWBK60161331926819"

    assert [f.normalized for f in find_ibans(text, read_iban)] == ["DE89370400440532013000", "GB29NWBK60161331926819"]


def test_a_vat_number_counts_only_with_right_check_digits() -> None:
    text = "USt-IdNr. DE136695976 or DE136695977, VAT GB 980 7806 84, VAT GB 483 2210 97"

    assert [f.normalized for f in find_vat_numbers(text, read_vat)] == ["DE136695976", "GB980780684"]


def test_mail_and_web_addresses_end_before_the_sentence_does() -> None:
    text = "Write to Ada.Lovelace@Example.ORG, or see (https://Example.org/a_(b)?q=1). Not a@b, not x@y.z1."

    assert [f.normalized for f in find_emails(text)] == ["Ada.Lovelace@example.org"]
    assert [f.value for f in find_urls(text)] == ["https://Example.org/a_(b)?q=1"]


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("(870)-931-0505", "US", "+18709310505"),
        ("Tel. 0431 1234567", "DE", "+494311234567"),
        ("02 43 94 00 00", "FR", "+33243940000"),
        ("call +44 20 7946 0018 today", "US", "+442079460018"),
    ],
)
def test_a_phone_number_is_read_as_dialled_in_the_region(text: str, region: str, number: str) -> None:
    assert [f.normalized for f in find_phones(text, Hints(region=region), read_phone)] == [number]


@pytest.mark.parametrize("text", ["payment : 202309097001", "11/23/2024 14:32:18", "1.204.500,00", "03-04-2025 10 20"])
def test_other_digits_are_no_phone_number(text: str) -> None:
    assert list(find_phones(text, Hints(region="US"), read_phone)) == []
