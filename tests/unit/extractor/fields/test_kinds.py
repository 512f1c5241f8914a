"""What a text is: its kind, its title, its language, and how it is cut."""

import pytest

from services.extractor.fields.kinds import kind_of
from services.extractor.fields.titles import title_of
from services.extractor.languages import identify
from services.extractor.passages import cut, sample, without_running_lines


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("receipt", "CORNER SHOP\nReceipt 12\nCashier: Ann\nTOTAL 3.00\nVisa"),
        ("quote", "Angebot\nAngebotsnummer A-12\ngültig bis 1.5.2025"),
        ("letter", "Sehr geehrte Frau Böhm,\nwir danken für Ihre Zeilen.\nMit freundlichen Grüßen"),
        ("contract", "LEASE AGREEMENT\nThis agreement is made between the landlord and the tenant. Governing law"),
        ("report", "Annual report\nExecutive summary\nOur findings"),
        ("minutes", "Minutes of the board\nAttendees: A, B\nAgenda"),
        ("recipe", "Flat bread\nIngredients\n2 cups flour\nPreheat the oven"),
        ("form", "Application form\nPlease complete in block capitals\nSurname\nSignature"),
        ("email", "From: Ann <a@example.org>\nTo: Bo <b@example.org>\nSubject: Boats\n\nHi Bo"),
        ("unknown", "The quick brown fox jumps over the lazy dog."),
    ],
)
def test_the_kind_with_the_most_evidence_wins(kind: str, text: str) -> None:
    assert kind_of(text, 1) == kind


def test_hundreds_of_pages_with_chapters_are_a_book() -> None:
    assert kind_of("Chapter 1\nIt was a dark night.", 200) == "book"
    assert kind_of("It was a dark night.", 1) == "unknown"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Quotation Q-7\n\nFor you", "Quotation Q-7"),
        ("SEATTLE HOSPITAL\nDepartment\nCOMPREHENSIVE MEDICAL REPORT\nReport ID: 7", "COMPREHENSIVE MEDICAL REPORT"),
        ("From: a@example.org\nTo: b@example.org\nSubject: Two boats\n\nHello", "Two boats"),
        ("Page 1 of 3\nwww.example.org\nThe Harbour of Kiel\nand so it goes on", "The Harbour of Kiel"),
        ("12\n34,00\n---", None),
    ],
)
def test_the_title_is_the_most_prominent_line(text: str, title: str | None) -> None:
    assert title_of(text) == title


def test_too_few_letters_have_no_language() -> None:
    assert identify("Total $ 23") == "und"
    assert identify("Der schnelle braune Fuchs springt über den faulen Hund.") == "de"


def test_passages_cover_every_page_with_text_and_keep_their_bounds() -> None:
    lines = "a line of text\n" * 10
    text = lines * 5
    pages = [{"page": n + 1, "start": n * len(lines), "end": (n + 1) * len(lines)} for n in range(5)]

    by_pages = cut(text, pages, 2, 10_000)
    by_length = cut(text, pages[:1], 2, 60)

    assert [(p.first, p.last) for p in by_pages] == [(1, 2), (3, 4), (5, 5)]
    assert all(p.end - p.start <= 60 and text[p.start : p.end].endswith("\n") for p in by_length)
    assert "".join(text[p.start : p.end] for p in by_length) == lines


def test_a_sample_reaches_the_end_and_keeps_its_length() -> None:
    text = " ".join(str(number) for number in range(20_000))
    part = sample(text, 6_000)

    assert len(part) <= 6_000 + 20
    assert part.startswith("0 1 2 ")
    assert "19998" in part


def test_running_heads_are_left_out() -> None:
    text = "\n".join(f"Folio {n} / mark\nSentence {chr(97 + n)} of the book" for n in range(6))

    assert "Folio" not in without_running_lines(text)
    assert "Sentence c of the book" in without_running_lines(text)
