"""E-mail (RFC 5322, MIME): its headers and its words as text, and the files attached to it."""

from collections.abc import Iterator
from contextlib import suppress
from email._policybase import Compat32
from email.feedparser import BytesFeedParser
from email.header import decode_header, make_header
from email.message import Message
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from services.ocr.formats import web_page
from services.ocr.limits import bounded
from services.ocr.text_layer import cleaned
from shared.errors import Rejected
from shared.media_types import encoding_of

_HEADERS: Final = ("Subject", "From", "To", "Cc", "Date")
_SHOWN: Final = 1000  # characters of a header that are kept
_HEADER: Final = 8 * 1024  # characters of one header; a long list of recipients is shown in part anyway
_HEADER_LINES: Final = 200
_DEEPEST: Final = 24  # parts within parts: a mail forwarded ten times
_DECORATION: Final = 16 * 1024  # bytes; a smaller picture within the text is a logo or a tracking pixel
# Mails that a process keeps: the page read next is mostly of the same one, or of one within it. Parsing one of 31 MB
# takes 0.8 s, as long as a page; finding it again by its bytes 0.02 s.
_KEPT: Final = 2
_SPOKEN: Final = ("text/plain", "text/html")


class _Short(Compat32):
    """Headers are cut before anything looks for their parameters, which takes quadratic time."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """A header's name and value, cut to a useful length."""
        name, value = super().header_source_parse([line[:_HEADER] for line in sourcelines[:_HEADER_LINES]])
        return name, value[:_HEADER]


class _Parser(BytesFeedParser):
    """Refuses what is nested too deeply: each line is held against the end of every part that it is in."""

    def _new_message(self) -> None:
        if len(self._msgstack) >= _DEEPEST:  # type: ignore[attr-defined]
            raise Rejected("corrupt_document", detail="its parts are nested too deeply")
        super()._new_message()  # type: ignore[misc]


_POLICY: Final = _Short()


class Attachment(NamedTuple):
    """A file within a mail, its name as the sender wrote it."""

    name: str
    data: bytes


class Mail(NamedTuple):
    """A mail; a mail forwarded within it is part of its text, and its attachments are among these."""

    headers: str
    text: str
    attachments: tuple[Attachment, ...]


def opened(path: Path, limit: int) -> Mail:
    """The mail at `path`, of at most `limit` bytes. Raises Rejected: too_large, corrupt_document."""
    return _parsed(bounded(path, limit, what="The e-mail", setting="PAGESTREAM_OCR_MAX_MAIL_BYTES"))


@lru_cache(maxsize=_KEPT)
def _parsed(data: bytes) -> Mail:
    try:
        parser = _Parser(policy=_POLICY)
        parser.feed(data)
        message = parser.close()
        parts = list(_parts(message))
    except RecursionError as error:
        raise Rejected("corrupt_document", detail="its parts are nested too deeply") from error
    words = [part for part in parts if isinstance(part, str)]
    files = tuple(part for part in parts if isinstance(part, Attachment))
    return Mail(_headers(message), "\n\n".join(word for word in words if word), files)


def _parts(part: Message) -> Iterator[str | Attachment]:
    """The texts and files of a part, in its order."""
    kind = part.get_content_type()
    if kind == "multipart/alternative":
        yield from _parts_of_one(part)
    elif part.is_multipart():
        for inner in _inner(part):
            if kind == "message/rfc822":
                yield _headers(inner)
            yield from _parts(inner)
    elif kind in _SPOKEN and not part.get_filename() and part.get_content_disposition() != "attachment":
        yield _words(part)
    elif kind != "message/delivery-status" and (attached := _attachment(part)) is not None:
        yield attached


def _parts_of_one(part: Message) -> Iterator[str | Attachment]:
    """The first of several versions of the same that has words: senders put the plainest first."""
    versions = [list(_parts(inner)) for inner in _inner(part)]
    spoken = (found for found in versions if any(isinstance(each, str) and each for each in found))
    chosen = next(spoken, [])
    yield from chosen
    for other in versions:
        if other is not chosen:  # an invitation, or the pictures of the richer version
            yield from (each for each in other if isinstance(each, Attachment))


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _words(part: Message) -> str:
    data = _content(part)
    if part.get_content_type() == "text/html":
        return web_page.text_of(_decoded(part, data) or web_page.decoded(data))
    text = _decoded(part, data)
    return cleaned(data.decode(encoding_of(data) or "cp1252", "replace") if text is None else text).strip()


def _decoded(part: Message, data: bytes) -> str | None:
    """By the charset that the part declares; None where it does not fit."""
    charset = part.get_content_charset()
    try:
        return data.decode(charset) if charset else None
    except (LookupError, ValueError):
        return None


def _content(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _attachment(part: Message) -> Attachment | None:
    data = _content(part)
    within = part.get_content_disposition() != "attachment" and part.get("Content-ID") is not None
    if not data or (within and part.get_content_maintype() == "image" and len(data) < _DECORATION):
        return None
    name = _readable(part.get_filename() or "") or f"unnamed ({part.get_content_type()})"
    return Attachment(name, data)


def _headers(message: Message) -> str:
    found = ((name, _readable(str(message.get(name, "")))) for name in _HEADERS)
    return "\n".join(f"{name}: {value}" for name, value in found if value)


def _readable(value: str) -> str:
    """A header without its encoded words (RFC 2047) and on one line."""
    with suppress(LookupError, ValueError):  # an unknown encoding: it stays as it was written
        value = str(make_header(decode_header(value)))
    return " ".join(cleaned(value.encode("utf-8", "replace").decode()).split())[:_SHOWN]
