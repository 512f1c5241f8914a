"""What is said on one socket: requests in, answers out, and when to end it. Knows no WebSocket."""

import asyncio
from collections.abc import Callable
from typing import Final

from services.gateway.auth.callers import Caller
from services.gateway.auth.limits import Allowance, Holders, Limits
from services.gateway.live import client_frames, frames
from services.gateway.live.client_frames import Subscribe, Unsubscribe
from services.gateway.live.close_codes import BAD_FRAME, NOT_ALLOWED, NOT_FOUND, TOO_MANY, TRY_AGAIN_LATER
from services.gateway.live.frames import Ref
from services.gateway.live.hub import Hub, Viewer
from services.gateway.problems import Problem
from services.gateway.targets import DocumentKey, Position, Target
from shared.storage.mongo import PyMongoError

_BURST: Final = 2_000  # requests at once: a page that comes back subscribes to all that it shows
_PER_SECOND: Final = 50
_DOCUMENTS_AT_ONCE: Final = 400  # snapshots on their way: the outbox holds so many of 10 KB
_FEED_COST: Final = 20  # what a list's snapshot costs of them: it has 200 rows


class Session:
    """One socket's requests. `hang_up(code, reason)` is called when it must be closed."""

    def __init__(
        self,
        hub: Hub,
        viewer: Viewer,
        caller: Caller,
        hang_up: Callable[[int, str], None],
        *,
        limits: Limits,
        holders: Holders,
        max_subscriptions: int,
    ) -> None:
        self._hub = hub
        self._viewer = viewer
        self._caller = caller
        self._limits = limits
        self._holders = holders
        self._limit = max_subscriptions
        self._held = 0  # subscriptions that count for the holders
        self._allowance = Allowance(_BURST, _PER_SECOND)
        self._opening: dict[asyncio.Task[None], Target] = {}
        self._hang_up = hang_up
        self._list = asyncio.Semaphore(1)  # of lists' snapshots on their way
        self._documents = asyncio.Semaphore(_DOCUMENTS_AT_ONCE)

    def start_with(self, target: Target) -> None:
        """The address itself names the document or job; the socket is about nothing else."""
        try:
            self._caller.require_watching(target)
        except Problem as problem:
            self._hang_up(NOT_ALLOWED, problem.code)
        else:
            self._start(target, None, None, sole=True)

    def hear(self, data: str | bytes, now: float) -> None:
        """Take one frame of the client's; answers follow by themselves."""
        if not (self._allowance.take(now) and self._limits.frames.take(self._holders, now)):
            self._hang_up(TOO_MANY, "too many requests")
            return
        try:
            request = client_frames.parse(data)
        except Problem as problem:
            self._hang_up(BAD_FRAME, problem.sentence)
            return
        target = request.target(self._caller.tenant)
        if isinstance(request, Subscribe) and target.is_feed and not self._allowance.take(now, _FEED_COST - 1):
            self._hang_up(TOO_MANY, "too many requests")
            return
        match request:
            case Subscribe():
                self._subscribe(request, target)
            case Unsubscribe():
                self._hub.unsubscribe(self._viewer, target)
                self._viewer.deliver(None, frames.unsubscribed(request.ref))

    async def end(self) -> None:
        """The connection is gone."""
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        self._hub.leave(self._viewer)
        self._limits.subscriptions.take(self._holders, -self._held)
        self._held = 0

    def _subscribe(self, request: Subscribe, target: Target) -> None:
        try:
            self._caller.require_watching(target)
            if target.kind == "feed" and target.name != "documents":
                raise Problem("feed.not_found", feed=target.name)
            self._make_room(target)
        except Problem as problem:
            self._refuse(problem, target, request.ref)
        else:
            self._start(target, request.ref, request.position)

    def _make_room(self, target: Target) -> None:
        """Count this subscription too, and those that have ended by themselves no longer. Raises Problem."""
        wanted = len(self._hub.targets_of(self._viewer) | {target, *self._opening.values()})
        if wanted > self._limit:
            raise Problem("too_many_subscriptions", limit=self._limit)
        self._limits.subscriptions.take(self._holders, wanted - self._held)
        self._held = wanted

    def _start(self, target: Target, ref: Ref, have: Position | None, *, sole: bool = False) -> None:
        task = asyncio.create_task(self._show(target, ref, have, sole=sole))
        self._opening[task] = target
        task.add_done_callback(self._opening.pop)

    async def _show(self, target: Target, ref: Ref, have: Position | None, *, sole: bool) -> None:
        try:
            if self._caller.batch is not None and target.kind == "document":
                found = await self._hub.reader.document(DocumentKey(target.tenant, target.name))
                self._caller.require_member(found.row["view"])
            # One list after the other: a reader that takes none is owed no second. The same for many documents.
            async with self._list if target.is_feed else self._documents:
                await self._viewer.caught_up()
                await self._hub.subscribe(self._viewer, target, ref, have)
        except Problem as problem:
            if problem.status >= 500:
                self._hang_up(TRY_AGAIN_LATER, problem.code)
            elif sole:
                self._hang_up(NOT_ALLOWED if problem.status == 403 else NOT_FOUND, problem.code)
            else:
                self._refuse(problem, target, ref)
        except PyMongoError:
            self._hang_up(TRY_AGAIN_LATER, "database_unavailable")

    def _refuse(self, problem: Problem, target: Target, ref: Ref) -> None:
        self._viewer.deliver(None, frames.error(problem.error(), ref, target.about))
