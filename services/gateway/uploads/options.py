"""What an uploader may give with a document, checked: what readers are shown of it, and how it is to be treated."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.gateway.problems import Problem
from shared.document.upload_info import UploadInfo

MAX_TAGS: Final = 16
MAX_CHARACTERS: Final = 100  # of a batch's name and of a tag

_LANGUAGES: Final = re.compile(r"[a-z]{3}(_[a-z]+){0,2}([,+ ][a-z]{3}(_[a-z]+){0,2}){0,7}")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UploadOptions(NamedTuple):
    """How an upload is to be treated."""

    languages: tuple[str, ...] = ()  # Tesseract's names; empty: the server's setting
    force: bool = False  # run it also if these bytes are here already
    idempotency_key: str | None = None


DEFAULTS: Final = UploadOptions()


def upload_options(languages: str | None, *, force: bool, idempotency_key: str | None = None) -> UploadOptions:
    """The options from a request. Raises Problem("bad_request") for languages that cannot be read."""
    return UploadOptions(_languages(languages), force, idempotency_key)


def upload_info(batch: str | None, tags: Sequence[str], filename: str = "") -> UploadInfo:
    """What readers are shown; surrounding blanks are stripped, and a tag that is given twice counts once.

    `filename` must be clean. Raises Problem("bad_request") with the one that is not possible.
    """
    named = tuple(dict.fromkeys(_word("tag", tag) for tag in tags))  # in their order
    if len(named) > MAX_TAGS:
        raise Problem("bad_request", detail=f"tag: at most {MAX_TAGS} can be given")
    return UploadInfo(filename, _word("batch", batch) if batch is not None else None, named)


def _languages(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    if not _LANGUAGES.fullmatch(text):
        raise Problem("bad_request", detail="languages: write Tesseract's names as in eng+deu, at most 8")
    return tuple(re.split("[,+ ]", text))


def _word(name: str, text: str) -> str:
    word = text.strip()
    if not 0 < len(word) <= MAX_CHARACTERS or _UNPRINTABLE.search(word):
        raise Problem("bad_request", detail=f"{name}: 1 to {MAX_CHARACTERS} printable characters are possible")
    return word
