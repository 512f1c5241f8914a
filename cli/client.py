"""A small async client over Pagestream's contract: HTTP for asking, one socket for watching."""

import asyncio
import mimetypes
import os
import random
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Final, Self

import httpx

from cli.address import is_loopback
from cli.backoff import delay
from cli.frames import Frame, Position, Watched
from cli.live import Live, OnLost, ignore_loss
from cli.refusals import Unreachable, from_problem

Body = dict[str, Any]
Sent = Callable[[int, int], None]

# Connecting is quick or hopeless; an answer may wait for the broker's and the projection's deadlines.
TIMEOUT: Final = httpx.Timeout(connect=5.0, read=60.0, write=60.0, pool=60.0)
BUSY: Final = frozenset({429, 503})  # "not now": the same upload again is safe, the gateway knows it by its bytes
UPLOAD_TRIES: Final = 4


@dataclass(frozen=True)
class Accepted:
    """An upload that is safely in the log. `duplicate`: these bytes were here before, and this is their document."""

    document_id: str
    duplicate: bool = False
    links: Mapping[str, str] = field(default_factory=dict)


class Client:
    """`async with Client("http://127.0.0.1:8000") as client: …`

    Every call raises `Refused` when Pagestream says no and `Unreachable` when nobody answers at `base_url`.
    """

    def __init__(self, base_url: str, token: str | None = None, *, jitter: Callable[[], float] = random.random) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._jitter = jitter
        self._loopback = is_loopback(base_url)
        # Nothing on this machine is reached through a proxy of the environment.
        self._http = httpx.AsyncClient(
            base_url=self.base_url, headers=self._headers, timeout=TIMEOUT, trust_env=not self._loopback
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def upload(
        self,
        path: Path,
        *,
        idempotency_key: str | None = None,
        force: bool = False,
        progress: Sent | None = None,
    ) -> Accepted:
        """Stream `path` from disk; `progress(sent, total)` counts bytes of the file. A busy gateway is asked again.

        A forced upload gets a key of its own, so that asking again does not run the document twice.
        """
        key = idempotency_key or (uuid.uuid4().hex if force else None)
        headers = {"Idempotency-Key": key} if key else {}
        params = {"force": "true"} if force else {}
        response = await self._post_file(path, headers, params, progress)
        for attempt in range(1, UPLOAD_TRIES):
            if response.status_code not in BUSY:
                break
            await asyncio.sleep(_retry_after(response, delay(attempt, self._jitter())))
            response = await self._post_file(path, headers, params, progress)
        body = _answer(response)
        return Accepted(str(body["document_id"]), bool(body.get("duplicate", False)), _links(body))

    async def _post_file(
        self, path: Path, headers: Mapping[str, str], params: Mapping[str, str], progress: Sent | None
    ) -> httpx.Response:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        with path.open("rb") as file:
            part = (path.name, _Counted(file, os.fstat(file.fileno()).st_size, progress), kind)
            return await self._send("POST", "/v1/documents", params=params, headers=headers, files={"file": part})

    async def document(self, document_id: str) -> Body:
        """The document view."""
        return await self._call("GET", f"/v1/documents/{document_id}")

    async def documents(self, status: str | None = None, limit: int = 50, cursor: str | None = None) -> Body:
        """`{"documents": [view, …], "next_cursor": …}`, newest first."""
        asked = {"status": status, "limit": limit, "cursor": cursor}
        return await self._call("GET", "/v1/documents", {k: v for k, v in asked.items() if v is not None})

    async def timeline(self, document_id: str) -> Body:
        """`{"events": [row, …]}`: what happened, in the order of the log."""
        return await self._call("GET", f"/v1/documents/{document_id}/timeline")

    async def extraction(self, document_id: str) -> Body:
        """Type, findings and summary; `Refused` with status 409 while they are not there yet."""
        return await self._call("GET", f"/v1/documents/{document_id}/extraction")

    async def text(self, document_id: str) -> str:
        """The whole text; `Refused` with status 409 while it is not there yet."""
        response = await self._send("GET", f"/v1/documents/{document_id}/text")
        if response.headers.get("content-type", "").startswith("application/json") or response.is_error:
            return str(_answer(response)["text"])
        return response.text

    async def chunks(self, document_id: str) -> Body:
        """`{"chunks": [chunk, …]}`; `Refused` with status 409 while they are not there yet."""
        return await self._call("GET", f"/v1/documents/{document_id}/chunks")

    async def retry(self, document_id: str) -> Body:
        """Run again what failed; `Refused` with status 409 where nothing did."""
        return await self._call("POST", f"/v1/documents/{document_id}/retry")

    async def cancel(self, document_id: str) -> Body:
        """Stop the work; finished pages stay. `Refused` with status 409 where there is nothing to stop."""
        return await self._call("POST", f"/v1/documents/{document_id}/cancel")

    async def delete(self, document_id: str) -> Body:
        """Erase the document and everything found in it."""
        return await self._call("DELETE", f"/v1/documents/{document_id}")

    async def healthy(self, path: str) -> tuple[bool, Body]:
        """`path` is "/healthz" or "/readyz": whether it says yes, and what it says (also a "no" has a body)."""
        response = await self._send("GET", path)
        return response.is_success, _json(response)

    async def watch(
        self,
        ids: Iterable[str],
        *,
        have: Mapping[str, Position] = MappingProxyType({}),
        on_lost: OnLost = ignore_loss,
    ) -> AsyncGenerator[Frame, None]:
        """Each new snapshot, update, deletion or refusal of these documents, until all have ended.

        `have`: positions (epoch, version) already known; only what is newer is shown and can end the watching.
        """
        live = Live(self.base_url, self._headers, loopback=self._loopback, on_lost=on_lost, jitter=self._jitter)
        async with aclosing(live.frames(Watched.start(ids, have))) as frames:
            async for frame in frames:
                yield frame

    async def _call(self, method: str, path: str, params: Mapping[str, Any] | None = None) -> Body:
        return _answer(await self._send(method, path, params=params))

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **request)
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


def _answer(response: httpx.Response) -> Body:
    body = _json(response)
    if response.is_error:
        raise from_problem(response.status_code, body)
    return body


def _json(response: httpx.Response) -> Body:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _links(body: Body) -> dict[str, str]:
    links = body.get("links")
    return {str(name): str(link) for name, link in links.items()} if isinstance(links, dict) else {}


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    """Seconds the gateway asks to wait (at most 30); `otherwise` where it names none or a date."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), 30.0) if asked.isdigit() else otherwise
