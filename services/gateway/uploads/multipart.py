"""The part `file` of a multipart body, as a stream: nothing is kept but what was just read."""

from collections.abc import AsyncIterator
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.gateway.problems import Problem

_FIELD: Final = b"file"
_MAX_HEADER: Final = 1024  # bytes; the parser takes quadratic time for parameters


def boundary_of(content_type: str) -> bytes | None:
    """The boundary when the body is multipart/form-data, None when it is anything else.

    Raises Problem("bad_multipart") when there is none, and for a Content-Type that is far too long.
    """
    if len(content_type) > _MAX_HEADER:
        raise Problem("bad_multipart", detail=f"the Content-Type is longer than {_MAX_HEADER} characters")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return None
    if not options.get(b"boundary"):
        raise Problem("bad_multipart", detail="the Content-Type names no boundary")
    return options[b"boundary"]


class FilePart:
    """`await open()`, then read `chunks()`. Other parts are skipped; a second file is refused.

    Both raise Problem("bad_multipart"); `chunks` does when the body ends before its last boundary.
    """

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes) -> None:
        self.filename = ""
        self.content_type: str | None = None
        self._body = body
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._is_file = False
        self._found = False
        self._ended = False
        self._ready: list[bytes] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise Problem("bad_multipart", detail=str(error)) from None

    async def open(self) -> None:
        """Read up to the beginning of the file."""
        while not self._found:
            if not await self._read():
                raise Problem("bad_multipart", detail="it has no part named `file`")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the file."""
        while True:
            ready, self._ready = self._ready, []
            for chunk in ready:
                yield chunk
            if not ready and not await self._read():
                break
        if not self._ended:
            raise Problem("bad_multipart", detail="it ends before its last boundary")

    async def _read(self) -> bool:
        """Feed the parser once; False at the end of the body."""
        async for data in self._body:
            if data:
                try:
                    self._parser.write(data)
                except FormParserError as error:
                    raise Problem("bad_multipart", detail=str(error)) from None
                return True
        return False

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._is_file = False

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        if len(disposition) > 2 * _MAX_HEADER:  # with a name of 1,024 characters
            raise Problem("bad_multipart", detail=f"a Content-Disposition is longer than {2 * _MAX_HEADER} bytes")
        _, options = parse_options_header(disposition)
        if options.get(b"name") != _FIELD:
            return
        if self._found:
            raise Problem("bad_multipart", detail="it has more than one part named `file`")
        self._is_file = self._found = True
        self.filename = options.get(b"filename", b"").decode(errors="replace")
        content_type = self._headers.get(b"content-type")
        self.content_type = content_type.decode("latin-1") if content_type else None

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._ready.append(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
