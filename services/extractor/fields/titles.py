"""The title of a document and who issued it, from the lines of its first page. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from services.extractor.fields.kinds import NAMES
from services.extractor.fields.labels import COUNTERPARTY, PARTY, fold
from services.extractor.findings import Finding

TITLE_LINES: Final = 12  # lines with text in which a title is looked for
VENDOR_LINES: Final = 80
LONGEST: Final = 90  # characters of a title
_HEADING: Final = re.compile(r"^#{1,2} (?![^\s\d]*+\d\S*+$)(?P<title>\S.{1,200})$", re.MULTILINE)
_SUBJECT: Final = re.compile(
    r"^(?:subject|betreff|objet|asunto|oggetto|re):[ \t]{0,4}(?P<title>\S.{2,200})$", re.IGNORECASE | re.MULTILINE
)
_NOT_TITLE: Final = re.compile(
    r"^(?:page|seite|folio|p\.) ?\d|@|https?://|www\.|^dear\b|^sehr geehrte|^cher|^to:|^from:"
    r"|^date\b|^\W*$|^(?:[^\w\s]*+\s++)*+[^\s\d]*+\d\S*+$",
    re.IGNORECASE,
)
_LEGAL: Final = re.compile(
    r"(?<![^\W_])(?:ltd|limited|llc|llp|inc|corp|corporation|plc|gmbh|mbh|ag|kg|ohg|ug|e\.k|se|sarl|s\.a\.r\.l|sas|eurl"
    r"|s\.a|sa|s\.l|sl|s\.p\.a|spa|s\.r\.l|srl|b\.v|bv|n\.v|nv|ab|oy|aps|a/s|pty|co)(?![^\W_])\.?",
    re.IGNORECASE,
)
_PARTY: Final = re.compile(
    rf"^\W{{0,4}}(?:{'|'.join(PARTY)})[ \t]{{0,3}}:[ \t]{{0,8}}(?P<name>\S.{{1,60}})$", re.IGNORECASE
)
_COUNTERPARTY: Final = re.compile(rf"^\W{{0,4}}(?:{'|'.join(map(re.escape, COUNTERPARTY))})(?![^\W_])", re.IGNORECASE)
_COLUMN: Final = re.compile(r"[ \t]{3,80}|\t")  # from 3 spaces on it is a gap
_HOST: Final = re.compile(r"(?:@|://)(?:www\.)?([a-z0-9.-]{3,253})", re.IGNORECASE)
_COMMON_HOSTS: Final = frozenset(
    [
        "gmail", "googlemail", "yahoo", "hotmail", "outlook", "live", "icloud", "aol", "gmx", "web", "mail",
        "example", "www", "com", "org", "net", "co", "de", "fr", "uk",
    ]
)  # fmt: skip


def _lines(text: str, limit: int) -> Iterator[tuple[int, str]]:
    """(offset, first column) of the first lines that are not blank."""
    offset = count = 0
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped:
            yield offset + line.index(stripped[0]), _COLUMN.split(stripped, maxsplit=1)[0]
            count += 1
        if count == limit:
            return
        offset += len(line)


def title_of(page: str) -> str | None:
    """The title: a heading, a subject, or the most prominent of the first lines; None when no line could be one."""
    marked = _HEADING.search(page[:4_000]) or _SUBJECT.search(page[:2_000])
    if marked:
        return _clean(marked["title"])[:LONGEST]
    scored = [
        (_prominence(line) - 0.5 * index, line) for index, (_, line) in enumerate(_lines(page[:8_000], TITLE_LINES))
    ]
    fitting = [(score, line) for score, line in scored if score > -2]
    return _clean(max(fitting, key=lambda pair: pair[0])[1])[:LONGEST] if fitting else None


def _prominence(line: str) -> float:
    """How much a line looks like a title: 3 for naming a kind, 1.5 for capitals, less for prose; -9: cannot be one."""
    letters = sum(map(str.isalpha, line))
    if not 3 <= len(line) <= LONGEST or letters < 0.4 * len(line.replace(" ", "")) or _NOT_TITLE.search(fold(line)):
        return -9.0
    words = line.split()
    score = 1.5 if all(word[0].isupper() for word in words if len(word) > 3 and word[0].isalpha()) else 0.0
    if NAMES.search(fold(line)) and len(line) <= 60 and ":" not in line:
        score += 3.0
    elif any(map(str.isdigit, line)):  # an address
        score -= 1.5
    prose = line[0].islower() or (len(words) >= 8 and 2 * sum(map(str.islower, words)) >= len(words))
    return score - (2.0 if line[-1] in ".,;:" else 0.0) - (2.0 if prose else 0.0)


def _clean(line: str) -> str:
    return " ".join(line.strip("#*_|= \t").split())


def find_vendors(page: str, hosts: Iterable[str]) -> Iterator[Finding]:
    """Who may have issued a trade document, by label, by its own web address, by legal form, or by standing first.

    `hosts` are the e-mail and web addresses printed.
    """
    names = {name for host in hosts for name in _host_names(host)}
    lines = list(_lines(page, VENDOR_LINES))
    for index, (offset, line) in enumerate(lines):
        labelled = _PARTY.match(fold(line))
        if labelled:
            start = labelled.start("name")
            yield _vendor(line[start:], offset + start, 0.92, "label")
        elif not _other_party(lines, index):
            yield from _unlabelled(line, offset, index, names)


def _unlabelled(line: str, offset: int, index: int, names: set[str]) -> Iterator[Finding]:
    compact = re.sub(r"[^a-z0-9]", "", fold(line).lower())
    if len(line) > 60 or "@" in line or "://" in line or "www." in line.lower():
        return
    if any(compact.startswith(name) and len(compact) <= 2 * len(name) + 6 for name in names):
        yield _vendor(line, offset, 0.88 if index < TITLE_LINES else 0.84, "own_address")
    elif any(map(str.isdigit, line)) or NAMES.search(fold(line)) or sum(map(str.isalpha, line)) < 3:
        return
    elif index < TITLE_LINES and _LEGAL.search(line) and ":" not in line:
        yield _vendor(line, offset, 0.82, "legal_form")
    elif index == 0 and ":" not in line:
        yield _vendor(line, offset, 0.65, "first_line")


def _other_party(lines: list[tuple[int, str]], index: int) -> bool:
    """Whether the line is the customer's: it has such a label, or the line above is such a label and nothing else."""
    if _COUNTERPARTY.match(fold(lines[index][1])):
        return True
    above = fold(lines[index - 1][1]).rstrip(": ") if index else ""
    label = _COUNTERPARTY.match(above)
    return bool(label and label.end() == len(above))


def _host_names(address: str) -> set[str]:
    host = _HOST.search(address)
    parts = host.group(1).lower().split(".")[:-1] if host else []
    return {part.replace("-", "") for part in parts if len(part) >= 5 and part not in _COMMON_HOSTS}


def _vendor(name: str, offset: int, confidence: float, method: str) -> Finding:
    printed = name.strip(" \t*|#")
    start = offset + name.index(printed)
    return Finding("vendor", printed, " ".join(printed.split()), start, start + len(printed), confidence, method)
