import pytest

from services.chunker.headings import Heading, heading

BODY = "The tenant shall pay the rent on the first working day of each month."


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("# Lease", "Lease"),
        ("### 2.1 Rent ###", "2.1 Rent"),
        ("1. Definitions", "1. Definitions"),
        ("2.3.1 Late payment", "2.3.1 Late payment"),
        ("IV. Warranties", "IV. Warranties"),
        ("CONFIDENTIALITY AGREEMENT", "CONFIDENTIALITY AGREEMENT"),
        ("Article 5", "Article 5"),
        ("§ 3 Mietzins", "§ 3 Mietzins"),
        ("Kapitel 2: Die  Miete", "Kapitel 2: Die Miete"),
        ("第一条 租赁期限", "第一条 租赁期限"),
        ("Terms of Payment", "Terms of Payment"),
    ],
)
def test_a_line_that_looks_like_a_heading_above_text_is_one(line: str, title: str) -> None:
    found = heading(line, alone=True, following=BODY)
    assert found is not None
    assert found.title == title


@pytest.mark.parametrize(
    "line",
    [
        BODY,
        "Dear Madam,",
        "12 March 2024",
        "Introduction ........ 7",
        "Section 5 shall apply to the tenant",
        "Total 53.00",
        "USA",
        "It is all over now.",
        "some words in lower case",
    ],
)
def test_a_line_that_does_not_is_none(line: str) -> None:
    assert heading(line, alone=True, following=BODY) is None


def test_what_nothing_follows_heads_nothing() -> None:
    assert heading("# Lease", alone=True, following="") is None


def test_a_numbered_line_followed_by_its_like_is_an_item_of_a_list() -> None:
    assert heading("1. Rent", alone=False, following="2. Deposit") is None
    assert heading("1. Rent", alone=False, following="1.1 Amount") is not None


def test_a_first_line_whose_sentence_goes_on_is_no_heading() -> None:
    assert heading("1. The tenant shall pay", alone=False, following="the rent.") is None


def test_chapters_stand_above_numbers_and_numbers_above_deeper_ones() -> None:
    found = [
        heading(line, alone=True, following=BODY) for line in ("Chapter 1", "1. Rent", "1.1 Amount", "Other Costs")
    ]
    ranks = [entry.rank for entry in found if isinstance(entry, Heading)]
    assert ranks == sorted(set(ranks))
    assert len(ranks) == 4
