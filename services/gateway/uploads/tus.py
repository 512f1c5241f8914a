"""The words of the tus protocol, version 1.0.0 (https://tus.io/protocols/resumable-upload): headers in and out."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Final, Self

from services.gateway.problems import Problem

VERSION: Final = "1.0.0"
CONTENT_TYPE: Final = "application/offset+octet-stream"
MAX_METADATA: Final = 8 * 1024  # characters of Upload-Metadata
_EXTENSIONS: Final = "creation,creation-with-upload,checksum,termination,expiration"
_ALGORITHMS: Final = ("sha1", "sha256", "sha512")
_YES: Final = ("1", "true", "yes")


def capabilities(max_bytes: int) -> dict[str, str]:
    """The headers that say what this server can do."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": _EXTENSIONS,
        "Tus-Max-Size": str(max_bytes),
        "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
    }


def check_version(headers: Mapping[str, str]) -> None:
    """Raise Problem("upload.wrong_version") unless the client speaks ours."""
    if headers.get("tus-resumable") != VERSION:
        raise Problem("upload.wrong_version", version=VERSION)


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raise Problem("upload.wrong_content_type") unless the body is a part of an upload."""
    if headers.get("content-type") != CONTENT_TYPE:
        raise Problem("upload.wrong_content_type", allowed=CONTENT_TYPE)


def number(headers: Mapping[str, str], name: str) -> int:
    """The header `name`, a number of bytes. Raises Problem("bad_request")."""
    value = headers.get(name.lower(), "")
    if not (value.isascii() and value.isdecimal() and len(value) < 19):
        raise Problem("bad_request", detail=f"{name} must be a number of bytes")
    return int(value)


def metadata(text: str) -> dict[str, str]:
    """The pairs of Upload-Metadata: `name base64,name base64,…`. Raises Problem("bad_request")."""
    if len(text) > MAX_METADATA:
        raise Problem("bad_request", detail=f"Upload-Metadata is longer than {MAX_METADATA} characters")
    pairs = (pair.strip().partition(" ") for pair in text.split(",") if pair.strip())
    try:
        return {name: base64.b64decode(value.strip(), validate=True).decode() for name, _, value in pairs}
    except (binascii.Error, UnicodeDecodeError):
        raise Problem("bad_request", detail="Upload-Metadata must be pairs of a name and its value in base64") from None


def is_yes(word: str | None) -> bool:
    """Whether a value of the metadata means yes."""
    return (word or "").lower() in _YES


def expires(at: datetime) -> str:
    """The value of Upload-Expires (RFC 9110, section 5.6.7); `at` is in UTC."""
    return format_datetime(at, usegmt=True)


class Checksum:
    """The checksum that the client gives for the bytes of one request."""

    def __init__(self, algorithm: str, wanted: bytes) -> None:
        self._digest = hashlib.new(algorithm, usedforsecurity=False)
        self._wanted = wanted

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self | None:
        """The one in Upload-Checksum, `algorithm base64`. Raises Problem("bad_request")."""
        text = headers.get("upload-checksum")
        if text is None:
            return None
        algorithm, _, encoded = text.partition(" ")
        if algorithm not in _ALGORITHMS:
            raise Problem("bad_request", detail=f"Upload-Checksum knows {', '.join(_ALGORITHMS)}")
        try:
            return cls(algorithm, base64.b64decode(encoded, validate=True))
        except binascii.Error:
            raise Problem("bad_request", detail="Upload-Checksum must be an algorithm and a digest in base64") from None

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self._digest.update(data)

    def check(self) -> None:
        """Raise Problem("upload.wrong_checksum") when they add up to something else."""
        if not hmac.compare_digest(self._digest.digest(), self._wanted):
            raise Problem("upload.wrong_checksum")
