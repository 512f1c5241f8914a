"""One question to an OCR service over HTTP: a picture is posted, the lines come back as JSON.

docs/operations.md has the contract, for those who build such a service.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.ocr.pages import Line, Word
from services.ocr.text_layer import cleaned
from shared.errors import Rejected

_NOT_NOW: Final = frozenset({408, 425, 429})  # and all of 5xx
_NOT_US: Final = frozenset({401, 403, 404, 405})  # the address or the key is wrong: no page is the reason
_LARGEST_ANSWER: Final = 16 * 1024 * 1024  # bytes; that of a dense page is 1 MB

_Number = Annotated[float, Field(allow_inf_nan=False)]


class NotNow(Exception):
    """No answer that counts, and worth asking again; `retry_after` in seconds where the provider said when."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


@dataclass(frozen=True)
class Provider:
    """The service at `url`; `seconds` is the deadline of one answer, from the first byte sent to the last received."""

    url: str
    key: str  # "" = none is sent
    seconds: float

    @property
    def host(self) -> str:
        """The message to people about the provider that we wait for."""
        return httpx.URL(self.url).host

    def ask(self, png: bytes, languages: str) -> tuple[Line, ...]:
        """The lines of a picture. Raises NotNow, Rejected(provider_refused)."""
        try:
            status, headers, body = self._exchange(png, languages)
        except httpx.TimeoutException as error:
            raise NotNow(f"no answer within {self.seconds:g} s") from error
        except httpx.TransportError as error:
            raise NotNow(f"{type(error).__name__}: {error}"[:200]) from error
        if status in _NOT_NOW or status in _NOT_US or status >= 500:
            raise NotNow(f"status {status}", _seconds(headers.get("retry-after"), datetime.now(UTC)))
        if status >= 400:
            raise Rejected("provider_refused", provider=self.host, status=status)
        return _lines(body)

    def _exchange(self, png: bytes, languages: str) -> tuple[int, httpx.Headers, bytes]:
        end = time.monotonic() + self.seconds
        headers = {"content-type": "image/png", "accept": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        url = httpx.URL(self.url).copy_merge_params({"languages": languages})
        with httpx.stream("POST", url, content=png, headers=headers, timeout=self.seconds) as response:
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if time.monotonic() > end:
                    raise NotNow(f"no answer within {self.seconds:g} s")
                if len(body) > _LARGEST_ANSWER:
                    raise NotNow(f"an answer of more than {_LARGEST_ANSWER} bytes")
            return response.status_code, response.headers, bytes(body)


class _Word(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str
    box: tuple[_Number, _Number, _Number, _Number]
    confidence: float | None = Field(default=None, ge=0, le=100)


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    words: list[_Word]
    opens: bool = False


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    lines: list[_Line]


def _lines(body: bytes) -> tuple[Line, ...]:
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise NotNow(f"an answer that is not understood ({where}: {first['msg']})"[:200]) from error
    lines = (Line(tuple(_words(line)), line.opens) for line in answer.lines)
    return tuple(line for line in lines if line.words)


def _words(line: _Line) -> list[Word]:
    said = ((cleaned(word.text).strip(), word) for word in line.words)
    return [Word(text, _upright(word.box), word.confidence) for text, word in said if text]


def _upright(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """A Retry-After header in seconds, whichever of its two forms it has; None where it is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
