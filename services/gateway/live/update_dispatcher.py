"""From the updates consumer to the hub: decides what each update means, and reads what it does not carry."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import orjson

from services.gateway.live.document_reader import DocumentReader
from services.gateway.live.hub import Hub, Viewer
from services.gateway.live.subscriptions import Change
from services.gateway.live.updates_consumer import EPOCH_KEY, Update
from services.gateway.problems import Problem
from services.gateway.targets import DocumentKey, Target
from shared.events.standalone_job import is_job_id
from shared.projecting.fences import note
from shared.runtime import logs
from shared.runtime.failpoints import provoke
from shared.storage.mongo import PyMongoError

log = logs.get(__name__)

_AGAIN_SECONDS: Final = 1.0
_BREATH: Final = 1_000  # deliveries after which others get a turn on the event loop


class UpdateDispatcher:
    """The updates consumer calls `receive` and `reload`; `close` ends what is being read for viewers."""

    def __init__(
        self, reader: DocumentReader, hub: Hub, on_ended: Callable[[Sequence[str]], None] = lambda ids: None
    ) -> None:
        """`on_ended` is called with the ids of documents that have ended, before anybody is told."""
        self._reader = reader
        self._hub = hub
        self._on_ended = on_ended
        self._tasks: set[asyncio.Task[None]] = set()
        reader.on_generation = partial(self._start, self._show_anew)

    async def receive(self, updates: Sequence[Update]) -> None:
        """Pass the updates on to the viewers that watch what they are about."""
        delivered = 0
        self._on_ended([update.key for update in updates if update.has_ended])
        for update in updates:
            if update.key == EPOCH_KEY:
                self._start(self._refresh)
                continue
            self._reader.changes.wake(Target.of_key(update.tenant, update.key))
            self._reader.changes.wake(Target.of_feed(update.tenant))
            try:
                delivered += self._dispatch(update) if self._is_wanted(update) else 0
            except Exception as error:  # one document's update; the next one of it is shown whole
                note("gateway.carry", update.key, error)
            if delivered >= _BREATH:
                delivered = 0
                await asyncio.sleep(0)

    async def reload(self) -> None:
        """Show every viewer the present state, as after a gap or a change of generation; as soon as it can be read."""
        self._start(self._show_anew)

    async def close(self) -> None:
        """End what is being read for viewers."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_wanted(self, update: Update) -> bool:
        """Whether a viewer watches the document, its tenant's feed or its batch, as far as its batch is known."""
        info = self._reader.upload_info.get(DocumentKey(update.tenant, update.key))
        if info is None and not is_job_id(update.key) and self._hub.watches_batches(update.tenant):
            return True
        return self._hub.is_wanted(update.tenant, update.key, info.batch if info else None)

    def _dispatch(self, update: Update) -> int:
        provoke("gateway.carry", update.key)
        body = orjson.loads(update.value)
        change = Change(update.tenant, update.key, body["epoch"], body["version"], body.get("document"))
        if change.epoch != self._reader.generation:
            self._start(self._refresh)  # a newer generation is shown whole; an older one counts no more
            return 0
        key = DocumentKey(update.tenant, update.key)
        info = self._reader.upload_info.get(key)
        if is_job_id(update.key) or (change.view is not None and info is None):
            self._start(partial(self._reread, key))
            return 0
        if change.view is None or info is None:
            return self._hub.publish(replace(change, batch=info.batch if info else None))
        return self._hub.publish(replace(change, view={**change.view, **info.to_row()}, batch=info.batch))

    async def _reread(self, key: DocumentKey) -> None:
        found = await self._reader.row(key)
        if found is None:
            return  # the generation has not come to it yet; when it does, an update follows
        if found.row.get("deleted"):
            self._hub.publish(Change(*key, found.generation, found.row["version"], None))
            return
        view = found.row["view"]
        batch = self._reader.upload_info.learn(key, view).batch
        self._hub.publish(Change(*key, view["epoch"], view["version"], view, batch))

    async def _refresh(self) -> None:
        await self._reader.refresh()
        self._reader.notice_generation()

    async def _show_anew(self) -> None:
        await self._reader.refresh()
        self._reader.take_as_seen()
        self._reader.changes.wake_all()
        await asyncio.gather(*(self._reload(target, viewers) for target, viewers in self._hub.watched()))

    async def _reload(self, target: Target, viewers: list[Viewer]) -> None:
        if target.is_feed:
            await self._hub.reload_feed(target, viewers)
        else:
            await self._reread(DocumentKey(target.tenant, target.name))

    def _start(self, read: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(_insisting(read))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _insisting(read: Callable[[], Awaitable[None]]) -> None:
    """Read for viewers, as often as it takes: no client asks for it again."""
    while True:
        try:
            return await read()
        except (Problem, PyMongoError) as error:
            log.warning("watchers wait for what cannot be read now", reason=repr(error))
        except Exception:
            log.exception("watchers were not told of a change")
            return None
        await asyncio.sleep(_AGAIN_SECONDS)
