"""Generations of the projection: begin one, point the readers at it, keep what each fold needs."""

import secrets
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from services.progress.projection.migration import migrate
from shared.events.document import utcnow
from shared.kafka import topics
from shared.projecting.checkpoint import ALL_PARTITIONS, Checkpoint, Share, beginning_of
from shared.storage.mongo import PROJECTIONS, TOTALS, DuplicateKeyError, Mongo, Row

FOLD: Final = "progress"
OWNERSHIP: Final = "fold/progress"
SHAPE: Final = 2  # of the rows; a release that needs others than the one before raises it, and `migrate` makes them
_HANDOVER_MS: Final = 20_000  # a rebuild that is killed holds up the live projection for so long
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"

Fill = Callable[[str], Awaitable[object]]  # a generation


async def nothing(generation: str) -> None:
    """A generation begins empty."""


async def live(mongo: Mongo, partitions: int, fill: Fill = nothing) -> str:
    """The generation that readers read; where there is none (a new or dropped database) one begins.

    `fill` may take up what is known of a new one, before readers see it; where that broke off, it is called again. Rows
    that an older release wrote are brought up to date first.
    """
    while True:
        generation = await mongo.live_generation()
        if generation is not None and await checkpoint(mongo, generation).exists():
            if not await mongo.generations.find_one({"_id": generation, "shape": SHAPE}, {"_id": 1}):
                await migrate(mongo, generation)
                await mongo.generations.update_one({"_id": generation}, {"$set": {"shape": SHAPE}})
            return generation
        began = await _starting(mongo) or await begin(mongo, partitions, starting=True)
        await fill(began)
        if await point(mongo, began, instead_of=generation):
            return began
        await drop(mongo, began)  # the database was dropped meanwhile: no reader would find what is folded here


async def begin(mongo: Mongo, partitions: int, *, starting: bool = False) -> str:
    """A new generation at offset 0 that is not read yet; `starting`: the live projection's and no rebuild's."""
    generation = "".join(secrets.choice(_ALPHABET) for _ in range(6))
    await mongo.create_projections(generation)
    await checkpoint(mongo, generation).create(beginning_of([topics.DOCUMENTS, topics.PROGRESS], partitions))
    row = {"_id": generation, "shape": SHAPE, "began_at": utcnow(), "live_since": None, "starting": starting}
    await mongo.generations.insert_one(row)
    return generation


async def _starting(mongo: Mongo) -> str | None:
    """A generation that an earlier life of the live projection began and did not come to point at."""
    return await _never_live(mongo, {"starting": True})


async def point(mongo: Mongo, generation: str, instead_of: str | None) -> bool:
    """Let readers read `generation` from now on; False, and nothing moves, where another than the expected is live."""
    now = utcnow()
    pointer = {"generation": generation, "since": now}
    expected = {"_id": "live", "generation": instead_of}
    try:
        moved = await mongo.generations.replace_one(expected, pointer, upsert=instead_of is None)
    except DuplicateKeyError:
        return False
    if instead_of is not None and not moved.matched_count:
        return False
    await mongo.generations.update_one({"_id": generation}, {"$set": {"live_since": now}})
    await mongo.point_views(generation)
    return True


async def before(mongo: Mongo, generation: str | None) -> str | None:
    """The generation that was live before `generation` and is still kept."""
    kept = {"_id": {"$nin": ["live", generation]}, "shape": SHAPE, "live_since": {"$ne": None}}
    row = await mongo.generations.find_one(kept, sort=[("live_since", -1)])
    return row["_id"] if row else None


async def unfinished(mongo: Mongo) -> str | None:
    """A generation that a rebuild began and that was never live."""
    return await _never_live(mongo, {"starting": {"$ne": True}})


async def _never_live(mongo: Mongo, query: Row) -> str | None:
    """One that matches and can go on; one whose checkpoint was dropped while it began cannot, and is dropped."""
    wanted = {"_id": {"$ne": "live"}, "shape": SHAPE, "live_since": None, **query}
    while row := await mongo.generations.find_one(wanted):
        generation: str = row["_id"]
        if await checkpoint(mongo, generation).exists():
            return generation
        await drop(mongo, generation)
    return None


async def set_aside(mongo: Mongo, generation: str) -> None:
    """Note that an unfinished generation was found to differ from the live one."""
    await mongo.generations.update_one({"_id": generation}, {"$set": {"differs": True}})


async def is_set_aside(mongo: Mongo, generation: str) -> bool:
    """Whether the generation was found to differ from the live one."""
    return await mongo.generations.find_one({"_id": generation, "differs": True}, {"_id": 1}) is not None


async def beside(mongo: Mongo, these: Collection[str]) -> list[str]:
    """Every generation that is not in `these`. Beside the live one: that of before, and one that is being built."""
    return [row["_id"] async for row in mongo.generations.find({"_id": {"$nin": ["live", *these]}})]


async def name_job(mongo: Mongo, generation: str, job_id: str | None) -> None:
    """Note the job that builds the generation, or that none does any more."""
    await mongo.generations.update_one({"_id": generation}, {"$set": {"job": job_id}})


async def job_of(mongo: Mongo, generation: str) -> str | None:
    """The job that began to build the generation and has not said how it ended."""
    row = await mongo.generations.find_one({"_id": generation})
    return row.get("job") if row else None


async def note_restored(mongo: Mongo, generation: str, facts: int) -> None:
    """Note how many facts are in what an unfinished generation has taken up of a snapshot."""
    await mongo.generations.update_one({"_id": generation}, {"$set": {"restored": facts}})


async def restored(mongo: Mongo, generation: str) -> int:
    """What `note_restored` noted last; 0 for a generation that began at the beginning of the log."""
    row = await mongo.generations.find_one({"_id": generation}, {"restored": 1})
    return row.get("restored", 0) if row else 0


async def jobs(mongo: Mongo) -> dict[str, str]:
    """Every such job, by generation."""
    return {row["_id"]: row["job"] async for row in mongo.generations.find({"job": {"$type": "string"}})}


async def forget(mongo: Mongo, but: Collection[str]) -> None:
    """Drop every generation that is not in `but`, nor live: a process that was stopped here may be overtaken by now."""
    for generation in await beside(mongo, but):
        if generation != await mongo.live_generation():
            await drop(mongo, generation)


async def drop(mongo: Mongo, generation: str) -> None:
    """Remove a generation that is not read."""
    for name in (*PROJECTIONS, TOTALS):
        await mongo.projection(name, generation).drop()
    await checkpoint(mongo, generation).remove()
    await mongo.generations.delete_one({"_id": generation})


async def ask_to_make_way(mongo: Mongo, generation: str) -> bool:
    """Ask the live projection of `generation` to end; a request that is not followed up lapses by itself.

    False where another generation is live by now.
    """
    lapses = {"$add": ["$$NOW", _HANDOVER_MS]}
    asked = await mongo.generations.update_one(
        {"_id": "live", "generation": generation}, [{"$set": {"handover_until": lapses}}]
    )
    return bool(asked.matched_count)


async def withdraw(mongo: Mongo, generation: str) -> None:
    """Ask the live projection of `generation` no longer; once another is live there is nothing to withdraw."""
    await mongo.generations.update_one({"_id": "live", "generation": generation}, {"$unset": {"handover_until": ""}})


async def must_make_way(mongo: Mongo) -> bool:
    """Whether a rebuild waits for the live projection to end."""
    asked = {"_id": "live", "$expr": {"$gt": ["$handover_until", "$$NOW"]}}
    return await mongo.generations.find_one(asked, {"_id": 1}) is not None


def checkpoint(mongo: Mongo, generation: str, share: Share = ALL_PARTITIONS) -> Checkpoint:
    """The projector's checkpoint in a generation, for its share of the log."""
    return Checkpoint(mongo, FOLD, generation, share)
