"""One pass over a passage: every finder, its findings put at their place in the document."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from services.extractor.fields.check_digits import read_iban, read_vat
from services.extractor.fields.contacts import find_emails, find_phones, find_urls
from services.extractor.fields.dates import find_dates
from services.extractor.fields.hints import Hints
from services.extractor.fields.identifiers import find_ibans, find_numbers, find_vat_numbers
from services.extractor.fields.labels import fold
from services.extractor.fields.money import find_amounts
from services.extractor.fields.month_names import reader
from services.extractor.fields.phones import read_phone
from services.extractor.fields.totals import find_labelled
from services.extractor.findings import Finding
from services.extractor.passages import Paging

Finder = Callable[[str, Hints], Iterator[Finding]]
MARKED: Final = 0.85  # confidence of an amount that only its currency shows to be one


def _dates(text: str, hints: Hints) -> Iterator[Finding]:
    return find_dates(text, hints, reader(hints.language))


def _money(text: str, hints: Hints) -> Iterator[Finding]:
    """The labelled amounts, then the others that have a currency beside them."""
    amounts = list(find_amounts(text, hints))
    labelled = list(find_labelled(fold(text), amounts))
    yield from labelled
    taken = {finding.start for finding in labelled}
    for amount in amounts:
        if amount.marked and amount.start not in taken:
            yield amount.found_as("amount", MARKED, "currency")


FINDERS: Final[tuple[tuple[str, Finder], ...]] = (
    ("dates", _dates),
    ("amounts", _money),
    ("numbers", lambda text, _: find_numbers(fold(text))),
    ("emails", lambda text, _: find_emails(text)),
    ("urls", lambda text, _: find_urls(text)),
    ("phones", lambda text, hints: find_phones(text, hints, read_phone)),
    ("ibans", lambda text, _: find_ibans(text, read_iban)),
    ("vat_numbers", lambda text, _: find_vat_numbers(text, read_vat)),
)


def find_fields(
    text: str, start: int, end: int, paging: Paging, hints: Hints, limit: int
) -> Iterator[tuple[str, list[Finding]]]:
    """(what was looked for, at most `limit` findings) for each finder on text[start:end]; offsets are the text's."""
    passage = text[start:end]
    for name, finder in FINDERS:
        found = islice(finder(passage, hints), limit)
        yield name, [finding.at(start, paging.page_at(start + finding.start)) for finding in found]
