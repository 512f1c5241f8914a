"""The checkpoint: the positions up to which a fold has stored its state, with the partitions it reads."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition

from shared.storage.mongo import Mongo, Row

Positions = Mapping[TopicPartition, int]
Marks = Mapping[TopicPartition, str]  # of the record before each position; see `log_identity`


class CheckpointGone(RuntimeError):
    """The checkpoint was dropped under the fold; only a fresh start can begin a new generation."""


class Share(NamedTuple):
    """One of several equal parts of the log, by partition: a document is whole in one of them."""

    number: int = 0
    of: int = 1

    def has(self, place: TopicPartition) -> bool:
        """Whether the partition is in this share."""
        return bool(place.partition % self.of == self.number)

    def part(self, positions: Positions) -> dict[TopicPartition, int]:
        """Those positions that are in this share."""
        return {place: offset for place, offset in positions.items() if self.has(place)}


ALL_PARTITIONS: Final = Share()


class Checkpoint:
    """The positions of one fold; created once with its generation, then only updated.

    It reads and writes the positions of its share; the others belong to other processes.
    """

    def __init__(self, mongo: Mongo, fold: str, generation: str, share: Share = ALL_PARTITIONS) -> None:
        self._rows = mongo.checkpoints
        self._id = f"{fold}/{generation}"
        self._share = share

    async def create(self, positions: Positions, marks: Marks = MappingProxyType({})) -> None:
        """Start there; `marks` are those of the records before."""
        await self._rows.insert_one({"_id": self._id, "offsets": to_row(positions), "marks": to_row(marks)})

    async def exists(self) -> bool:
        """Whether the fold has begun."""
        return await self._rows.find_one({"_id": self._id}, {"_id": 1}) is not None

    async def remove(self) -> None:
        """Forget it, together with its generation."""
        await self._rows.delete_one({"_id": self._id})

    async def load(self) -> dict[TopicPartition, int]:
        """The next offset of each partition. Raises CheckpointGone."""
        return (await self.load_marked())[0]

    async def load_marked(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, str]]:
        """The same, and the mark of the record before each position, as far as they are known.

        Both from one look: an earlier owner may store once more while its successor begins. Raises CheckpointGone.
        """
        row = await self._rows.find_one({"_id": self._id})
        if row is None:
            raise CheckpointGone(self._id)
        return self._share.part(of_row(row["offsets"])), of_row(row.get("marks", {}))

    async def store(self, positions: Positions, marks: Marks = MappingProxyType({})) -> None:
        """Everything before `positions` is written; `marks` tell the records before them. Raises CheckpointGone.

        A position never goes back: an earlier owner that was stopped and goes on may say late how far it was.
        """
        names = to_row(marks)
        changed: Row = {}
        for name, offset in to_row(positions).items():
            changed[f"offsets.{name}"] = {"$max": [f"$offsets.{name}", offset]}
            if name in names:
                is_ahead = {"$gte": [offset, f"$offsets.{name}"]}
                changed[f"marks.{name}"] = {"$cond": [is_ahead, {"$literal": names[name]}, f"$marks.{name}"]}
        done = await self._rows.update_one({"_id": self._id}, [{"$set": changed}])
        if not done.matched_count:
            raise CheckpointGone(self._id)


def beginning_of(names: Sequence[str], partitions: int) -> dict[TopicPartition, int]:
    """Offset 0 of every partition of the named topics."""
    return {TopicPartition(name, number): 0 for name in names for number in range(partitions)}


def to_row(positions: Mapping[TopicPartition, Any]) -> Row:
    """What belongs to partitions by their names, as in "documents-3"."""
    return {f"{place.topic}-{place.partition}": offset for place, offset in positions.items()}


def of_row(row: Row) -> dict[TopicPartition, Any]:
    """What `to_row` wrote."""
    found = {}
    for name, offset in row.items():
        topic, _, partition = name.rpartition("-")
        found[TopicPartition(topic, int(partition))] = offset
    return found
