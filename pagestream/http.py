"""The HTTP side of the client: questions and answers, files on their way, event streams."""

import ipaddress
import mimetypes
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import httpx

from pagestream.refusals import Unreachable, from_problem

Body = dict[str, Any]
Sent = Callable[[int, int], None]

# Connecting is quick or hopeless; an answer may wait for the broker's and the projection's deadlines.
TIMEOUT: Final = httpx.Timeout(connect=5.0, read=60.0, write=60.0, pool=60.0)


class Http:
    """One pool of connections to the gateway at `base_url`. Every call raises `Refused` or `Unreachable`."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        # Nothing on this machine is reached through a proxy of the environment.
        trust_env = not is_loopback(base_url)
        self._client = httpx.AsyncClient(base_url=base_url, headers=dict(headers), timeout=TIMEOUT, trust_env=trust_env)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Any answer, a refusal too."""
        try:
            return await self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unreachable(self.base_url, str(error)) from error

    async def post_file(
        self, file: Path, headers: Mapping[str, str], params: Mapping[str, Any], progress: Sent | None
    ) -> httpx.Response:
        """Upload a file as it is read; any answer."""
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        with file.open("rb") as opened:
            part = (file.name, _Counted(opened, os.fstat(opened.fileno()).st_size, progress), kind)
            return await self.send("POST", "/v1/documents", params=params, headers=headers, files={"file": part})

    async def events(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], silence: float
    ) -> AsyncGenerator[str, None]:
        """The data of each event of a stream; `Unreachable` after `silence` seconds without a sign of life."""
        timeout = httpx.Timeout(60.0, connect=5.0, read=silence)
        accept = {"Accept": "text/event-stream", **headers}
        try:
            async with self._client.stream("GET", path, params=params, headers=accept, timeout=timeout) as response:
                if not response.is_success:
                    await response.aread()
                    answer(response)
                buffer = ""
                async for text in response.aiter_text():  # `aiter_lines` would also split at what JSON leaves as it is
                    *blocks, buffer = (buffer + text).split("\n\n")
                    for block in blocks:
                        if data := "\n".join(line[5:].lstrip() for line in block.split("\n") if line[:5] == "data:"):
                            yield data
        except httpx.TransportError as error:
            raise Unreachable(self.base_url, str(error)) from error


class _Counted:
    """A file that tells how much of it has been read, in the shape httpx streams multipart bodies from."""

    def __init__(self, file: BinaryIO, total: int, progress: Sent | None) -> None:
        self._file = file
        self._total = total
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if self._progress is not None:
            self._progress(self._file.tell(), self._total)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def fileno(self) -> int:
        return self._file.fileno()


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def answer(response: httpx.Response) -> Body:
    """The body of a good answer. Raises `Refused`."""
    body = json_of(response)
    if response.is_error:
        raise from_problem(response.status_code, body)
    return body


def json_of(response: httpx.Response) -> Body:
    """The body as an object, empty where it is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def retry_after(response: httpx.Response, otherwise: float) -> float:
    """Seconds the gateway asks to wait (at most 30); `otherwise` where it names none or a date."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), 30.0) if asked.isdigit() else otherwise
