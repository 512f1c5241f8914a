"""The pass over the document as a whole: language, kind, title, keywords, summary, and who issued it."""

from collections.abc import Iterator
from typing import Any

from services.extractor.fields.contacts import find_emails, find_urls
from services.extractor.fields.kinds import TRADE, kind_of
from services.extractor.fields.titles import find_vendors, title_of
from services.extractor.findings import Finding
from services.extractor.keywords import find_keywords, stop_words
from services.extractor.passages import Paging, sample, without_running_lines
from services.extractor.settings import ExtractorSettings
from services.extractor.summary import summarize

PAGE: int = 8_000  # characters of the first page that are read for title and vendor


def describe_document(
    text: str, first: tuple[int, int], pages: int, language: str, settings: ExtractorSettings
) -> dict[str, Any]:
    """The fields of the whole document; `first` is the offset of the first page with text."""
    part = without_running_lines(sample(text, settings.sample_characters))
    start, end = first
    page = text[start : min(end, start + PAGE)]
    return {
        "document_type": kind_of(text[start:], pages),
        "language": language,
        "title": title_of(page),
        "keywords": find_keywords(part, language, settings.keywords),
        "summary": summarize(part, stop_words(language), settings.sentences),
    }


def vendors(text: str, first: tuple[int, int], paging: Paging, kind: str) -> Iterator[Finding]:
    """Who may have issued the document, when it is one of trade."""
    if kind not in TRADE:
        return
    start, end = first
    page = text[start : min(end, start + PAGE)]
    hosts = [finding.normalized for finder in (find_emails, find_urls) for finding in finder(page)]
    for finding in find_vendors(page, hosts):
        yield finding.at(start, paging.page_at(start + finding.start))
