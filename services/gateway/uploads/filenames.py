"""File names as people may send them, made harmless: they are shown and stored, never used as a path."""

import re
from typing import Final
from urllib.parse import quote

MAX_CHARACTERS: Final = 255
UNNAMED: Final = "document"
# Controls, unpaired surrogates and the marks that reverse the direction of text (a name must not lie about its end).
_HARMFUL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(name: str | None) -> str:
    """The last component of `name` without what could harm; `document` when nothing is left.

    >>> clean("../../etc/passwd"), clean("C:\\\\scans\\\\lease.pdf"), clean("..")
    ('passwd', 'lease.pdf', 'document')
    """
    last = re.split(r"[/\\]", name or "")[-1]
    harmless = _HARMFUL.sub("", last).strip()
    if harmless.strip(".") == "":
        return UNNAMED
    if len(harmless) > MAX_CHARACTERS:
        stem, dot, suffix = harmless.rpartition(".")
        keep = f".{suffix}" if dot and len(suffix) <= 16 else ""
        harmless = (stem if keep else harmless)[: MAX_CHARACTERS - len(keep)] + keep
    return harmless


def attachment(name: str) -> str:
    """The Content-Disposition that saves a download under `name` (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
