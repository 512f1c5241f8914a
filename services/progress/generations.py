"""Generations of the projection: begin one, point the readers at it, keep what each fold needs."""

import secrets
from collections.abc import Collection
from typing import Final

from shared import topics
from shared.events import utcnow
from shared.folding import Checkpoint, partitions_of
from shared.mongo import PROJECTIONS, Mongo

FOLD: Final = "progress"
OWNERSHIP: Final = "fold/progress"
_HANDOVER_MS: Final = 60_000
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"


async def live(mongo: Mongo, partitions: int) -> str:
    """The generation that readers read; where there is none (a new or dropped database) one begins at offset 0."""
    generation = await mongo.live_generation()
    if generation is None or not await checkpoint(mongo, generation).exists():
        generation = await begin(mongo, partitions)
        await point(mongo, generation)
    return generation


async def begin(mongo: Mongo, partitions: int) -> str:
    """A new generation at offset 0 that nobody reads yet."""
    generation = "".join(secrets.choice(_ALPHABET) for _ in range(6))
    await mongo.create_projections(generation)
    await mongo.generations.insert_one({"_id": generation, "began_at": utcnow()})
    places = partitions_of([topics.DOCUMENTS, topics.PROGRESS], partitions)
    await checkpoint(mongo, generation).create(places)
    return generation


async def point(mongo: Mongo, generation: str) -> None:
    """Let readers read `generation` from now on."""
    pointer = {"generation": generation, "since": utcnow()}
    await mongo.generations.replace_one({"_id": "live"}, pointer, upsert=True)
    await mongo.point_views(generation)


async def forget(mongo: Mongo, but: Collection[str]) -> None:
    """Drop every generation that is not in `but`."""
    async for row in mongo.generations.find({"_id": {"$nin": ["live", *but]}}):
        for name in PROJECTIONS:
            await mongo.projection(name, row["_id"]).drop()
        await checkpoint(mongo, row["_id"]).remove()
        await mongo.generations.delete_one({"_id": row["_id"]})


async def ask_to_make_way(mongo: Mongo, generation: str) -> None:
    """Ask the live projection of `generation` to end; a request that is not followed up lapses by itself."""
    lapses = {"$add": ["$$NOW", _HANDOVER_MS]}
    await mongo.generations.update_one(
        {"_id": "live", "generation": generation}, [{"$set": {"handover_until": lapses}}]
    )


async def must_make_way(mongo: Mongo) -> bool:
    """Whether a rebuild waits for the live projection to end."""
    asked = {"_id": "live", "$expr": {"$gt": ["$handover_until", "$$NOW"]}}
    return await mongo.generations.find_one(asked, {"_id": 1}) is not None


def checkpoint(mongo: Mongo, generation: str) -> Checkpoint:
    """The projector's checkpoint in a generation."""
    return Checkpoint(mongo, FOLD, generation)
