"""Snapshots of a long log: the settled states of all documents and jobs, in the blob store beside the log.

A fold that begins takes one up and reads only what the log says since. The states are read while the fold goes on, so
some are ahead of the positions in the manifest. Each state names the last offset that is in it, and facts up to there
are skipped, as after a crash between the rows and the checkpoint.

A snapshot holds what the log holds, and the words of jobs: no names, batches or tags of documents, which may be erased.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal, NamedTuple, get_args

from shared.events.document import utcnow
from shared.kafka import topics
from shared.kafka.consumer import consuming
from shared.projecting.checkpoint import Marks, Positions, of_row, to_row
from shared.projecting.log_identity import strangers
from shared.runtime import logs
from shared.storage import mongo
from shared.storage.blob_names import SNAPSHOTS
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs
from shared.storage.mongo import Row

log = logs.get(__name__)

Kind = Literal["states", "timeline", "jobs"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SHAPE: Final = 1  # of the rows and of how facts are folded; a release that changes either raises it
_KEPT: Final = 2  # the newest, and one that a fold may be taking up
_AT_ONCE: Final = 1_000  # rows that a fold takes up together
_MANIFEST: Final = "manifest"
_LEVEL: Final = 1  # of the compression: 6 takes three times as long and saves a tenth


class Part(NamedTuple):
    """One blob of a snapshot: compressed BSON rows, with the SHA-256 of the blob."""

    name: str
    digest: str
    rows: int


class Snapshot(NamedTuple):
    """What is in the manifest. `positions` and `marks` are those of the checkpoint before the first row was read."""

    name: str
    at: datetime
    positions: Positions
    marks: Marks
    parts: Mapping[Kind, Sequence[Part]]

    @property
    def facts(self) -> int:
        """Records of the log that need not be read."""
        return sum(self.positions.values())

    @property
    def rows(self) -> int:
        """Rows of all kinds."""
        return sum(part.rows for parts in self.parts.values() for part in parts)


class Snapshots:
    """The snapshots in one blob store. Every method may raise Transient."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def names(self) -> list[str]:
        """Those that are complete, the newest first."""
        found = {name async for name in self._blobs.names(f"{SNAPSHOTS}/") if name.endswith(f"/{_MANIFEST}")}
        return [name.split("/")[1] for name in sorted(found, reverse=True)]

    async def load(self, name: str) -> Snapshot | None:
        """One of them; None where its manifest is missing, damaged or of another release."""
        try:
            raw = await self._blobs.get_result(f"{SNAPSHOTS}/{name}/{_MANIFEST}")
        except (BlobMissing, BlobDamaged):
            return None
        if raw["shape"] != SHAPE:
            return None
        parts: dict[Kind, list[Part]] = {kind: [Part(**part) for part in raw["parts"][kind]] for kind in KINDS}
        at = datetime.fromisoformat(raw["at"])
        return Snapshot(name, at, of_row(raw["positions"]), of_row(raw["marks"]), parts)

    async def newest(self) -> Snapshot | None:
        """The newest that this release can read."""
        for name in await self.names():
            if found := await self.load(name):
                return found
        return None

    async def newest_of(self, bootstrap: str, known: Positions) -> Snapshot | None:
        """The newest that was made of the log at `bootstrap`, whose partitions are `known`; None without one.

        Raises KafkaError and TimeoutError while the broker does not answer.
        """
        for name in await self.names():
            found = await self.load(name)
            if found and await _is_of_log(bootstrap, known, found) and await self._is_whole(found):
                return found
            log.warning("a snapshot cannot be used", snapshot=name)
        return None

    async def _is_whole(self, snapshot: Snapshot) -> bool:
        names = {name async for name in self._blobs.names(f"{SNAPSHOTS}/{snapshot.name}/")}
        return names >= {part.name for parts in snapshot.parts.values() for part in parts}

    async def rows(self, parts: Sequence[Part]) -> AsyncIterator[list[Row]]:
        """The rows of parts, some at a time. Raises BlobMissing, BlobDamaged."""
        for part in parts:
            rows = mongo.rows_of(await self.read(part))
            for at in range(0, len(rows), _AT_ONCE):
                yield rows[at : at + _AT_ONCE]

    async def read(self, part: Part) -> bytes:
        """The BSON rows of a part, one after another. Raises BlobMissing, BlobDamaged."""
        data = await self._blobs.get(part.name)
        return await asyncio.to_thread(_unpack, data, part.digest)

    async def write(
        self,
        positions: Positions,
        marks: Marks,
        rows: Mapping[Kind, AsyncIterator[tuple[bytes, int]]],
        verify: Callable[[], Awaitable[object]],
    ) -> Snapshot:
        """Make a snapshot of `rows`: BSON rows and how many they are, some at a time. Older ones are removed.

        `verify` raises where what was read may not be all there was; it is called once everything has been read. The
        manifest is written last, so that a snapshot which breaks off is never found; its parts go with the next one.
        """
        at = utcnow()
        name = f"{at:%Y%m%dT%H%M%S%f}-{sum(positions.values())}"  # by time: a log that was restored may be shorter
        parts: dict[Kind, list[Part]] = {kind: [] for kind in KINDS}
        for kind, found in rows.items():
            async for data, number in found:
                blob = f"{SNAPSHOTS}/{name}/{kind}-{len(parts[kind]):06d}"
                packed, digest = await asyncio.to_thread(_pack, data)
                await self._blobs.put(blob, packed)
                parts[kind].append(Part(blob, digest, number))
        await verify()
        manifest = {
            "shape": SHAPE,
            "at": at.isoformat(),
            "positions": to_row(positions),
            "marks": to_row(marks),
            "parts": {kind: [part._asdict() for part in found] for kind, found in parts.items()},
        }
        await self._blobs.put_result(f"{SNAPSHOTS}/{name}/{_MANIFEST}", manifest)
        await self.remove(but=(await self.names())[:_KEPT])
        return Snapshot(name, at, positions, marks, parts)

    async def remove(self, but: Sequence[str] = ()) -> None:
        """Remove every snapshot that is not in `but`, and what is left of those that broke off."""
        found = [name async for name in self._blobs.names(f"{SNAPSHOTS}/") if name.split("/")[1] not in but]
        for name in sorted(found, key=lambda name: not name.endswith(f"/{_MANIFEST}")):  # one without it is none
            await self._blobs.delete(name)


async def _is_of_log(bootstrap: str, known: Positions, snapshot: Snapshot) -> bool:
    """Whether the log goes on where the snapshot ends."""
    places = list(snapshot.positions)
    if not known.keys() >= {*places}:
        return False
    async with consuming(bootstrap, places) as consumer:
        starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        if not all(starts[place] <= snapshot.positions[place] <= ends[place] for place in places):
            return False
        return not await strangers(consumer, snapshot.positions, snapshot.marks)


def of_log(positions: Positions) -> Positions:
    """Those that belong into a snapshot: ticks are kept for a day only."""
    return {place: offset for place, offset in positions.items() if place.topic == topics.DOCUMENTS}


def _pack(data: bytes) -> tuple[bytes, str]:
    packed = zlib.compress(data, _LEVEL)
    return packed, sha256(packed).hexdigest()


def _unpack(data: bytes, digest: str) -> bytes:
    if sha256(data).hexdigest() != digest:
        raise BlobDamaged("a part of a snapshot is not what was written")
    return zlib.decompress(data)
