"""E-mail addresses, web addresses and telephone numbers in a text.

Pure: the reader of telephone numbers is an argument.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from services.extractor.fields.hints import Hints
from services.extractor.findings import Finding

ReadPhone = Callable[[str, str], tuple[str, bool] | None]

MAX_PHONES: Final = 1_000  # candidates given to the reader in one pass; it takes 0.1 ms each

# Lengths as in RFC 5321: 64 before the @, 63 a part of the domain
_EMAIL: Final = re.compile(
    r"(?<![\w.+%@-])[A-Za-z0-9](?:[\w.+%-]{0,62}[\w+%-])?@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w@]|-\w)"
)
_URL: Final = re.compile(r"(?<![\w@./-])(?:https?://|www\.)[^\s<>\"'|\\^`{}\[\]]{3,500}", re.IGNORECASE)
_TRAILING: Final = ".,;:!?)*_…»”’"
_PHONE: Final = re.compile(r"(?<![\w.,/:$€£-])(?:\+ ?|\(\+?)?\d(?:[ .()/\u00a0-]{0,3}\d){6,16}(?![\w%]|[.,/:-]\d)")
_LABEL: Final = re.compile(
    r"(?:phone|tel|telefon|telephone|téléphone|mobile?|mob|cell|fax|call|handy|teléfono|telefono|telefoon|tlf|gsm)"
    r"\b[.:\s(#no]{0,6}$",
    re.IGNORECASE,
)
_GROUPS: Final = re.compile(r"\d+")
_DATE: Final = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b")


def find_emails(text: str) -> Iterator[Finding]:
    """The e-mail addresses; normalized with a lower-case domain."""
    for match in _EMAIL.finditer(text):
        local, _, domain = match.group().rpartition("@")
        if ".." not in local:
            yield _finding("email", match.group(), f"{local}@{domain.lower()}", match.start(), 0.98, "pattern")


def find_urls(text: str) -> Iterator[Finding]:
    """The web addresses; normalized with a scheme and a lower-case host, without the sentence's punctuation."""
    for match in _URL.finditer(text):
        printed = match.group().rstrip(_TRAILING)
        scheme, mark, rest = printed.rpartition("://") if "://" in printed[:9] else ("http", "://", printed)
        host, slash, path = rest.partition("/")
        if "." in host.strip(".") or host.startswith("localhost"):
            normalized = f"{scheme.lower()}{mark}{host.lower()}{slash}{path}"
            yield _finding("url", printed, normalized, match.start(), 0.97, "pattern")


def find_phones(text: str, hints: Hints, read_phone: ReadPhone) -> Iterator[Finding]:
    """The telephone numbers as dialled in the hints' region; normalized to E.164."""
    for match in islice(_PHONE.finditer(text), MAX_PHONES):
        printed = match.group()
        labelled = bool(_LABEL.search(text[max(0, match.start() - 20) : match.start()]))
        international = printed.lstrip("( ").startswith("+")
        if not (labelled or international or _looks_dialled(printed)):
            continue
        number = read_phone(printed, hints.region)
        if number and (number[1] or labelled):
            confidence = (0.7 if not number[1] else 0.85) + 0.1 * (labelled or international)
            method = "label" if labelled else "pattern"
            yield _finding("phone", printed, number[0], match.start(), min(0.97, confidence), method)


def _looks_dialled(printed: str) -> bool:
    """Whether a number without label or country code is written as people write theirs, not as a date or a code."""
    groups = _GROUPS.findall(printed)
    opens = printed.startswith(("(", "0"))
    american = [len(group) for group in groups] == [3, 3, 4]
    return (opens or american) and len(groups) >= 2 and not _DATE.match(printed)


def _finding(field: str, value: str, normalized: str, start: int, confidence: float, method: str) -> Finding:
    return Finding(field, value, normalized, start, start + len(value), confidence, method)
