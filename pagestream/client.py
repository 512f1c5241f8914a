"""The async client: HTTP for asking, one line for watching whatever is followed."""

import asyncio
import random
import uuid
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeVar, cast

from pagestream.backoff import delay
from pagestream.http import Body, Http, Sent, answer, json_of, retry_after
from pagestream.live import Connection, Live, OnLost, ignore_loss
from pagestream.protocol import Position, State, Target, View
from pagestream.refusals import Refused, from_error_frame
from pagestream.subscriptions import Mailbox
from pagestream.views import (
    ChunkPage,
    Deleted,
    DocumentList,
    DocumentView,
    Extraction,
    JobView,
    Requested,
    Timeline,
)

BUSY: Final = frozenset({429, 503})  # "not now": the same upload again is safe, the gateway knows it by its bytes
UPLOAD_TRIES: Final = 4
NOTHING: Final[Mapping[str, tuple[str, int]]] = MappingProxyType({})

Answer = TypeVar("Answer")
Have = Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class Accepted:
    """An upload that is safely in the log. `duplicate`: these bytes were here before, and this is their document."""

    document_id: str
    duplicate: bool = False
    links: Mapping[str, str] = field(default_factory=dict)


class PagestreamClient:
    """`async with PagestreamClient("http://127.0.0.1:8000", token) as client: …`

    `token`: an API key, or a capability token. Every call raises `Refused` when Pagestream refuses it and `Unreachable`
    when `base_url` does not answer. All subscriptions share one connection, which reconnects by itself and calls
    `on_lost(reason, seconds)` at each loss, until no answer came for `patience` seconds (`math.inf`: no limit).
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        *,
        patience: float = 60.0,
        on_lost: OnLost = ignore_loss,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.on_lost = on_lost
        self._jitter = jitter
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = Http(self.base_url, headers)
        self._live = Live(self._http, headers, patience=patience, on_lost=self._lost, jitter=jitter)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._live.close()
        await self._http.close()

    def _lost(self, reason: str, seconds: float) -> None:
        self.on_lost(reason, seconds)  # the callback may be set later

    # ---- watching

    @property
    def connection(self) -> Connection:
        """Over what the line runs now: "websocket", "sse" where no WebSocket gets through, or "offline"."""
        return self._live.connection

    async def subscribe(self, *targets: Target | str, have: Have = NOTHING) -> AsyncGenerator[State, None]:
        """Each new state of the targets (ids of documents or jobs, `DOCUMENTS`, `Target.batch(name)`), newest only.

        Ends when all of them are deleted or refused. `have`: the (epoch, version) known of an id; where nothing was
        missed since, its first state is "live" without a view.
        """
        wanted = [Target.of_id(target) if isinstance(target, str) else target for target in targets]
        async with aclosing(self._states(wanted, have, lambda state: state.is_over)) as states:
            async for state in states:
                yield state

    async def watch(self, ids: Iterable[str], *, have: Have = NOTHING) -> AsyncGenerator[State, None]:
        """Each new state of these documents and jobs, until each has ended: see `State.ending`.

        `have`: the (epoch, version) known of an id; only newer states are yielded and can end the watching.
        """
        wanted = [Target.of_id(name) for name in ids]
        async with aclosing(self._states(wanted, have, lambda state: state.ending is not None)) as states:
            async for state in states:
                if state.view is not None or state.is_over:
                    yield state

    async def wait(self, name: str, *, have: tuple[str, int] | None = None) -> View:
        """The view of a document or job as soon as it has ended: completed, failed or cancelled.

        `have`: the (epoch, version) known; only a later end counts. Raises `Refused` for one that is not there.
        """
        async with aclosing(self.watch([name], have={name: have} if have else NOTHING)) as states:
            async for state in states:
                if state.view is not None and state.ending:
                    return state.view
                if state.error is not None:
                    raise from_error_frame(state.error)
        raise Refused("deleted", "It was deleted.", "Upload it again if it is still needed.")

    async def _states(
        self, targets: Collection[Target], have: Have, is_enough: Callable[[State], bool]
    ) -> AsyncGenerator[State, None]:
        known = {target: Position(*have[target.name]) for target in targets if target.name in have}
        reader = Mailbox(known)
        left = dict.fromkeys(targets)
        try:
            for target in left:
                await self._live.follow(reader, target, known.get(target))
            while left:
                state = await reader.take()
                if is_enough(state):
                    del left[state.target]
                    await self._live.drop(reader, state.target)
                yield state
        finally:
            await self._live.leave(reader)

    # ---- uploading and steering

    async def upload(
        self,
        path: Path,
        *,
        batch: str | None = None,
        tags: Iterable[str] = (),
        idempotency_key: str | None = None,
        force: bool = False,
        progress: Sent | None = None,
    ) -> Accepted:
        """Stream `path` from disk; `progress(sent, total)` counts bytes of the file. A busy gateway is asked again.

        A forced upload gets a key of its own, so that asking again does not run the document twice.
        """
        key = idempotency_key or (uuid.uuid4().hex if force else None)
        headers = {"Idempotency-Key": key} if key else {}
        params = _given(batch=batch, tag=list(tags) or None, force="true" if force else None)
        response = await self._http.post_file(path, headers, params, progress)
        for attempt in range(1, UPLOAD_TRIES):
            if response.status_code not in BUSY:
                break
            await asyncio.sleep(retry_after(response, delay(attempt, self._jitter())))
            response = await self._http.post_file(path, headers, params, progress)
        body = answer(response)
        return Accepted(str(body["document_id"]), bool(body.get("duplicate", False)), dict(body.get("links") or {}))

    async def retry(self, document_id: str) -> Requested:
        """Run again what failed; `Refused` with status 409 where nothing did."""
        return await self._call(Requested, "POST", f"/v1/documents/{document_id}/retry")

    async def cancel(self, document_id: str) -> Requested:
        """Stop the work; finished pages stay. `Refused` with status 409 where there is nothing to stop."""
        return await self._call(Requested, "POST", f"/v1/documents/{document_id}/cancel")

    async def delete(self, document_id: str) -> Deleted:
        """Erase the document and everything found in it."""
        return await self._call(Deleted, "DELETE", f"/v1/documents/{document_id}")

    # ---- asking

    async def document(self, document_id: str) -> DocumentView:
        """The document view."""
        return await self._call(DocumentView, "GET", f"/v1/documents/{document_id}")

    async def documents(self, status: str | None = None, limit: int = 50, cursor: str | None = None) -> DocumentList:
        """At most `limit` documents, newest first."""
        return await self._call(DocumentList, "GET", "/v1/documents", _given(status=status, limit=limit, cursor=cursor))

    async def job(self, job_id: str) -> JobView:
        """The view of a standalone job."""
        return await self._call(JobView, "GET", f"/v1/jobs/{job_id}")

    async def timeline(self, document_id: str) -> Timeline:
        """What happened, in the order of the log."""
        return await self._call(Timeline, "GET", f"/v1/documents/{document_id}/timeline")

    async def extraction(self, document_id: str) -> Extraction:
        """Type, findings and summary; `Refused` with status 409 while they are not there yet."""
        return await self._call(Extraction, "GET", f"/v1/documents/{document_id}/extraction")

    async def text(self, document_id: str) -> str:
        """The whole text; `Refused` with status 409 while it is not there yet."""
        return str((await self._call(Body, "GET", f"/v1/documents/{document_id}/text"))["text"])

    async def chunks(self, document_id: str) -> ChunkPage:
        """The text in chunks; `Refused` with status 409 while they are not there yet."""
        return await self._call(ChunkPage, "GET", f"/v1/documents/{document_id}/chunks")

    async def healthy(self, path: str) -> tuple[bool, Body]:
        """`path` is "/healthz" or "/readyz": whether the status is a success, and the body (a failure has one too)."""
        response = await self._http.send("GET", path)
        return response.is_success, json_of(response)

    async def _call(
        self, kind: type[Answer], method: str, path: str, params: Mapping[str, Any] | None = None
    ) -> Answer:
        return cast("Answer", answer(await self._http.send(method, path, params=params)))


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
