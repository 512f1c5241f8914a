"""Dates: which are found, in which order their parts are read, and what the label beside makes of them."""

import pytest

from services.extractor.fields.dates import find_dates
from services.extractor.fields.hints import Hints, read_hints
from services.extractor.fields.month_names import reader
from services.extractor.findings import Finding


def dates(text: str, **hints: object) -> list[Finding]:
    known = Hints.model_validate(hints)
    return list(find_dates(text, known, reader(known.language)))


@pytest.mark.parametrize(
    ("printed", "language", "day"),
    [
        ("2025-04-22", "en", "2025-04-22"),
        ("2025-04-22T10:30:00", "en", "2025-04-22"),
        ("31/12/2024", "en", "2024-12-31"),
        ("12/31/2024", "en", "2024-12-31"),
        ("03.04.2025", "de", "2025-04-03"),
        ("17.03.25", "de", "2025-03-17"),
        ("4 June 2025", "en", "2025-06-04"),
        ("3rd of May 2024", "en", "2024-05-03"),
        ("Jan. 5th, 2024", "en", "2024-01-05"),
        ("4-Jun-2025", "en", "2025-06-04"),
        ("4. März 2025", "de", "2025-03-04"),
        ("1er juin 2025", "fr", "2025-06-01"),
        ("15 de marzo de 2024", "es", "2024-03-15"),
        ("2025年6月4日", "ja", "2025-06-04"),
    ],
)
def test_a_date_is_read_as_its_language_writes_it(printed: str, language: str, day: str) -> None:
    found = dates(f"Signed on {printed}, here", language=language)

    assert [(f.normalized, f.value) for f in found] == [(day, printed.partition("T")[0])]


@pytest.mark.parametrize(
    "text",
    ["31/02/2025", "INV/2023/03/0008", "version 1.2.25", "12 Units 2025", "192.168.10.25", "99/99/2025", "3/2025"],
)
def test_what_only_looks_like_a_date_is_none(text: str) -> None:
    assert dates(f"see {text} there", language="en") == []


def test_an_unambiguous_date_in_the_document_decides_for_the_others() -> None:
    text = "Shipped 25/12/2024, invoice date 03/04/2025"
    hints = read_hints(text, "en")

    found = list(find_dates(text, hints, reader("en")))

    assert hints.order_proven
    assert found[1].normalized == "2025-04-03"
    assert found[1].confidence > 0.9


def test_without_proof_the_region_decides_and_the_confidence_is_lower() -> None:
    american = dates("Date: 03/04/2025", language="en", region="US", day_first=False)[0]
    unknown = dates("Date: 03/04/2025", language="en")[0]

    assert american.normalized == "2025-03-04"
    assert unknown.confidence < american.confidence < 0.9


def test_labels_beside_above_and_in_columns_say_which_date_it_is() -> None:
    text = "Due Date:\n04/14/2023\nInvoice date   Payment due\n03/20/2023     05/20/2023\nDate of birth: 12 May 1980\n"

    found = [(f.field, f.normalized) for f in dates(text, language="en", region="US", day_first=False)]

    assert found == [
        ("due_date", "2023-04-14"),
        ("date", "2023-03-20"),
        ("due_date", "2023-05-20"),
        ("mentioned_date", "1980-05-12"),
    ]
