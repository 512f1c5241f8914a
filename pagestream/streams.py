"""The same frames as event streams over plain HTTP, for networks that let no WebSocket through."""

import asyncio
import json
from typing import Final

from pagestream.http import Http
from pagestream.protocol import Frame, State, Target
from pagestream.refusals import Lost, Refused, Unanswered, Unreachable
from pagestream.sockets import SILENCE, OnFrame, States


class StreamLine:
    """One request for each target. `on_frame(target, frame)` gets what comes."""

    name: Final = "sse"

    def __init__(self, http: Http, on_frame: OnFrame) -> None:
        self._http = http
        self._on_frame = on_frame
        self._group: asyncio.TaskGroup | None = None
        self._streams: dict[Target, asyncio.Task[None]] = {}

    async def carry(self, states: States) -> None:
        """Pass frames on until a stream ends that should not. Raises Lost, or Refused where coming back is in vain."""
        try:
            async with asyncio.TaskGroup() as self._group:
                for state in states():
                    await self.add(state)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._group = None

    async def add(self, state: State) -> None:
        """Open a stream; in place of an earlier one where a snapshot must be asked for."""
        if self._group is not None:
            await self.remove(state.target)
            self._streams[state.target] = self._group.create_task(self._follow(state))

    async def remove(self, target: Target) -> None:
        """Close a stream."""
        if stream := self._streams.pop(target, None):
            stream.cancel()

    async def _follow(self, state: State) -> None:
        target, is_over = state.target, False
        path, params = _address(target)
        position = None if state.is_lost else state.position
        resume = {"Last-Event-ID": f"{position.epoch}:{position.version}"} if position and not target.is_feed else {}
        try:
            async for data in self._http.events(path, params, resume, SILENCE):
                frame: Frame = json.loads(data)
                is_over = frame["op"] == "deleted" and not target.is_feed
                await self._on_frame(target, frame)
        except Refused as refusal:
            if refusal.status != 404:
                raise _meaning(refusal) from refusal
            await self._on_frame(target, _gone(state, refusal))
            return
        except Unreachable as error:
            raise Unanswered() from error
        if not is_over:
            raise Lost("the stream ended")


def _address(target: Target) -> tuple[str, dict[str, str]]:
    if target.is_feed:
        return "/v1/live", target.fields
    return f"/v1/{target.kind}s/{target.name}/live", {}


def _meaning(refusal: Refused) -> Exception:
    return Lost(str(refusal)) if refusal.status == 429 or refusal.status >= 500 else refusal


def _gone(state: State, refusal: Refused) -> Frame:
    """What a socket would have said: a document that was there once was deleted meanwhile."""
    if state.position is not None and not state.target.is_feed:
        return {"op": "deleted", **state.target.fields, **state.position._asdict()}
    error = {"code": refusal.code, "message": refusal.sentence, "action": refusal.action}
    return {"op": "error", **state.target.fields, "error": error}
