"""What an uploader may wish and say of a document besides its name: languages, a batch, tags, to run it again."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.gateway.problems import Problem

MOST_TAGS: Final = 16
MOST_CHARACTERS: Final = 100  # of a batch's name and of a tag

_LANGUAGES: Final = re.compile(r"[a-z]{3}(_[a-z]+){0,2}([,+ ][a-z]{3}(_[a-z]+){0,2}){0,7}")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class UploadOptions(NamedTuple):
    """Checked; `batch` and `tags` are what people read, stripped of surrounding blanks."""

    languages: tuple[str, ...] = ()
    batch: str | None = None
    tags: tuple[str, ...] = ()
    force: bool = False


NO_OPTIONS: Final = UploadOptions()


def upload_options(languages: str | None, batch: str | None, tags: Sequence[str], *, force: bool) -> UploadOptions:
    """The wishes in words as they came. Raises Problem("bad_request") with the one that cannot be."""
    named = tuple(dict.fromkeys(_word("tag", tag) for tag in tags))  # each once, in their order
    if len(named) > MOST_TAGS:
        raise Problem("bad_request", detail=f"tag: at most {MOST_TAGS} can be given")
    return UploadOptions(_languages(languages), _word("batch", batch) if batch is not None else None, named, force)


def _languages(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    if not _LANGUAGES.fullmatch(text):
        raise Problem("bad_request", detail="languages: write Tesseract's names as in eng+deu, at most 8")
    return tuple(re.split("[,+ ]", text))


def _word(name: str, text: str) -> str:
    word = text.strip()
    if not 0 < len(word) <= MOST_CHARACTERS or _UNPRINTABLE.search(word):
        raise Problem("bad_request", detail=f"{name}: 1 to {MOST_CHARACTERS} printable characters are possible")
    return word
