"""Time travel: a document as it was after one of its facts, folded from the log as the projector folds it."""

import asyncio
from contextlib import aclosing
from typing import Any, Final

from services.gateway.concurrency.fair_slots import FairSlots
from services.gateway.problems import Problem
from services.gateway.queries.projections import Projections
from services.gateway.targets import DocumentKey
from shared.document import view
from shared.document.live_overlay import LiveOverlay
from shared.document.upload_info import UploadInfo
from shared.errors import Transient
from shared.kafka import partition_reader, topics
from shared.projecting import versions

_WITHIN: Final = 20.0  # seconds for all of it, and as many to wait for a place
_AT_ONCE: Final = 4  # readings of the log; each has connections of its own


class TimeTravel:
    """Reads the facts of one document at the offsets of the log that the timeline names, a few documents at once."""

    def __init__(self, projections: Projections, address: str, partitions: int) -> None:
        self._projections = projections
        self._address = address
        self._partitions = partitions
        self._places = FairSlots(_AT_ONCE, "too_many_at_once", _WITHIN)

    async def view(self, key: DocumentKey, version: int, now: dict[str, Any]) -> dict[str, Any]:
        """The document view after the last fact whose version is not above `version`.

        It knows no ticks, which are not kept, so its percent may be less than what was shown. `now` is today's view:
        what an uploader said never changes. Raises Problem("version.not_found" or "too_many_at_once"),
        Transient("log_unavailable").
        """
        offsets = await self._projections.offsets(key, until=version)
        if not offsets:
            raise Problem("version.not_found", version=version)
        try:
            async with self._places.one(key.tenant), asyncio.timeout(_WITHIN):
                return await self._folded(key, version, offsets, now)
        except TimeoutError as error:
            raise Transient("log_unavailable", detail="it takes too long") from error

    async def _folded(self, key: DocumentKey, version: int, offsets: list[int], now: dict[str, Any]) -> dict[str, Any]:
        place = partition_reader.place_of(topics.DOCUMENTS, key.document_id, self._partitions)
        async with aclosing(partition_reader.at_offsets(self._address, place, offsets)) as records:
            state = await versions.at_version(versions.facts(records, key.document_id), version)
        if state is None:
            raise Problem("version.not_found", version=version)
        return view.render(state, LiveOverlay(), info=UploadInfo.of(now), epoch=now["epoch"])
