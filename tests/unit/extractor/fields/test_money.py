"""Amounts: the decimal mark, the currency, and the labels that make a total of them."""

import pytest

from services.extractor.fields.hints import Hints, read_hints
from services.extractor.fields.labels import fold
from services.extractor.fields.money import Amount, find_amounts
from services.extractor.fields.totals import find_labelled, settle_totals
from services.extractor.findings import Finding


def amounts(text: str, language: str = "en") -> list[Amount]:
    return [amount for amount in find_amounts(text, read_hints(text, language)) if amount.marked]


def labelled(text: str, language: str = "en") -> list[Finding]:
    return list(find_labelled(fold(text), list(find_amounts(text, read_hints(text, language)))))


@pytest.mark.parametrize(
    ("printed", "language", "plain", "currency"),
    [
        ("€ 1.204,50", "de", "1204.50", "EUR"),
        ("$1,204.50", "en", "1204.50", "USD"),
        ("$43,456.78", "en", "43456.78", "USD"),
        ("18 240 €", "sv", "18240.00", "EUR"),
        ("1 930.00 EUR", "en", "1930.00", "EUR"),
        ("1\u202f204,50 €", "fr", "1204.50", "EUR"),
        ("CHF 1’204.50", "de", "1204.50", "CHF"),
        ("₹1,23,456.78", "en", "123456.78", "INR"),
        ("GBP 308.40", "en", "308.40", "GBP"),
        ("EUR308.40", "en", "308.40", "EUR"),
        ("-$84.00", "en", "-84.00", "USD"),
        ("$-50.00", "en", "-50.00", "USD"),
        ("$10264.158", "en", "10264.158", "USD"),
        ("1.250 €", "de", "1250.00", "EUR"),
        ("£5,738", "en", "5738.00", "GBP"),
        ("¥1,200", "ja", "1200", "JPY"),
        ("KWD 1.250", "en", "1.250", "KWD"),
        ("250 zł", "pl", "250.00", "PLN"),
    ],
)
def test_an_amount_is_a_plain_decimal_with_its_currency(printed: str, language: str, plain: str, currency: str) -> None:
    (amount,) = amounts(f"It costs {printed} in all", language)

    assert (amount.plain, amount.currency, amount.value) == (plain, currency, printed)


@pytest.mark.parametrize("text", ["call 030 1234567", "15% of all", "A-17", "INV1204.50", "03/04/2025", "10.0.0.1"])
def test_a_number_without_a_currency_is_no_amount(text: str) -> None:
    assert amounts(text) == []


def test_the_dollar_and_the_krone_are_the_regions_own() -> None:
    assert amounts("$5.00, Toronto, Canada. Ottawa, Canada")[0].currency == "CAD"
    assert amounts("250 kr, Göteborg, Sverige", "sv")[0].currency == "SEK"


@pytest.mark.parametrize(
    ("line", "field", "plain"),
    [
        ("Tax 15% on $ 112.90 $ 16.94", "tax", "16.94"),
        ("| Total | 1,695.50 |", "total", "1695.50"),
        ("**Grand total:** 20.00", "total", "20.00"),
        ("zzgl. 19 % MwSt.   423,13 €", "tax", "423.13"),
        ("Thanks for coming   Balance due: $7.50", "total", "7.50"),
        ("Total HT   1 128,00 €", "net", "1128.00"),
        ("Sub-total\n32.49", "net", "32.49"),
    ],
)
def test_a_label_names_the_amount_beside_or_below(line: str, field: str, plain: str) -> None:
    (found,) = labelled(line, "fr" if "HT" in line else "en")

    assert (found.field, found.normalized) == (field, plain)


def test_a_row_of_labels_names_the_row_of_amounts_below() -> None:
    found = labelled("Net        VAT       Total\n100.00     20.00     120.00\n")

    assert [(f.field, f.normalized) for f in found] == [("net", "100.00"), ("tax", "20.00"), ("total", "120.00")]


@pytest.mark.parametrize(
    "line",
    [
        "total as 0.01 and the vendor as ACME",
        "Total Points: 3,247",
        "Net 30",
        "VAT GB 483 2210 97",
        "Tax invoice 4711.20a",
    ],
)
def test_a_label_in_other_words_names_nothing(line: str) -> None:
    assert labelled(line) == []


def test_the_sums_that_add_up_are_surer_than_those_that_do_not() -> None:
    found = labelled("Subtotal 112.00\nSubtotal 150.90\nSubtotal 262.90\nTax 16.94\nTotal 279.84\n")

    settled, mismatches = settle_totals(found)

    assert mismatches == []
    nets = {f.normalized: f.confidence for f in settled if f.field == "net"}
    assert max(nets, key=lambda value: nets[value]) == "262.90"


def test_several_rates_of_tax_add_up_together() -> None:
    text = "Netto 200,00 €\nMwSt. 7 % 7,00 €\nMwSt. 19 % 19,00 €\nGesamtbetrag 226,00 €\n"

    settled, mismatches = settle_totals(labelled(text, "de"))

    assert mismatches == []
    assert {f.confidence for f in settled} == {0.97}


def test_a_guessed_decimal_mark_lowers_the_confidence() -> None:
    hints = Hints(language="en", decimal=".", currency=None)
    certain, guessed = find_amounts("1.20 1.204", hints)

    assert guessed.found_as("total", 0.9, "label").confidence < certain.found_as("total", 0.9, "label").confidence
