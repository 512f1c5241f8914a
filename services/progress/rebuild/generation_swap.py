"""Rebuilds the projection from the log: a new generation is built beside the live one, compared, and swapped in.

    python -m services.progress.rebuild [swap | force | dry-run | rollback] [--from-zero]

The world stops only for the last step: the live projector makes way, the new generation reaches the same offsets, both
are compared, the pointer moves. Where rows differ it stays where it is and the new generation is kept: `force` moves it
all the same, the next `swap` begins anew. `dry-run` compares and moves nothing; `rollback` goes back to the generation
before, which catches up first. A new generation begins at the newest snapshot of the log; with `--from-zero`, which
proves everything, at the beginning. Prints JSON lines, the last one the outcome. A rebuild that was killed goes on
where it was.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import orjson

from services.progress.projection import generations
from services.progress.projection.projector import announce_epoch
from services.progress.rebuild import digest, handover, rebuild_job
from services.progress.rebuild.accepted_differences import explained
from services.progress.rebuild.builder import Builder
from services.progress.settings import ProgressSettings
from shared.error_catalog import describe
from shared.errors import Rejected
from shared.kafka.producer import Producer
from shared.projecting.checkpoint import Positions
from shared.runtime.settings import read
from shared.storage import mongo
from shared.storage.leases import LeaseLost, Owner, Ownership, holding
from shared.storage.mongo import Mongo

RebuildMode = Literal["swap", "force", "dry-run", "rollback"]

_LOOKS: Final = 20  # of a dry run at rows that may differ because the log moves on
_LOOK_SECONDS: Final = 0.5


async def rebuild(settings: ProgressSettings, mode: RebuildMode, *, from_zero: bool = False) -> None:
    """Run the rebuild in `mode`; `from_zero` takes no snapshot. Raises Rejected."""
    owner = Owner.of(f"{settings.slot or socket.gethostname()}/rebuild")  # a killed one is taken over at once
    async with (
        mongo.connect(settings, mongo.ELECTION) as database,
        Producer.connect(settings.kafka) as producer,
        alone(Ownership(database, "rebuild", owner)),
    ):
        live = await database.live_generation()
        target = await choose(database, settings, live, mode, from_zero=from_zero)
        builder = Builder(settings, database, target, lambda done, total: report(step="folded", done=done, total=total))
        about = {"step": "done", "generation": target, "replaced": live}
        try:
            async with rebuild_job.published_job(producer, database, target) as job_id:
                report(step="replay", generation=target, job_id=job_id)
                barrier = await builder.barrier(live)
                if not from_zero and (snapshot := await builder.begin_at_snapshot(barrier)):
                    report(step="snapshot", at=snapshot.at.isoformat(), facts=snapshot.facts)
                await builder.follow(barrier)
                report(step="results", generation=target)
                await builder.store_results(target)
                if mode == "dry-run":
                    outcome = await look(database, builder, live)
                    await generations.drop(database, target)
                else:
                    outcome = await swap(database, producer, builder, live, owner, despite=mode != "swap")
        except Differs as found:
            report(**about, swapped=False, kept=True, **found.outcome)
        else:
            report(**about, swapped=mode != "dry-run", **outcome)


class Differs(Rejected):
    """The new generation is not the same as the live one, which stays; `outcome` is what `compare` found."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        super().__init__("rebuild_differs")
        self.outcome = outcome


async def choose(
    database: Mongo, settings: ProgressSettings, live: str | None, mode: RebuildMode, *, from_zero: bool
) -> str:
    """The generation to build: the one before for a rollback, else an unfinished or a new one."""
    if mode == "rollback":
        older = await generations.before(database, live)
        if older is None:
            raise Rejected("no_older_generation")
        return older
    found = await generations.unfinished(database)
    is_refused = found and mode != "force" and await generations.is_set_aside(database, found)
    if found and (is_refused or (from_zero and await generations.restored(database, found))):
        await generations.drop(database, found)
        found = None
    return found or await generations.begin(database, settings.partitions)


async def swap(
    database: Mongo, producer: Producer, builder: Builder, live: str | None, owner: Owner, *, despite: bool
) -> dict[str, Any]:
    """Stop the live projection, reach it, compare, let readers read the new one, `despite` differences or not.

    Raises Differs.
    """
    ownership = Ownership(database, generations.OWNERSHIP, owner)
    async with handover.asking(database, live), holding(ownership):
        report(step="stop", generation=builder.generation)
        barrier = await builder.barrier(live)
        await builder.follow(barrier)
        for generation in (builder.generation, live):  # what the live one had no time for is no difference
            await builder.store_results(generation)
        outcome = await compare(database, live, builder.generation, barrier)
        if outcome.get("differences") and not despite:
            await generations.set_aside(database, builder.generation)
            raise Differs(outcome)
        if not await generations.point(database, builder.generation, instead_of=live):
            raise Rejected("rebuild_overtaken")
        await announce_epoch(producer, builder.generation)
        if outcome.get("differences"):
            await builder.forget_snapshots()
    await generations.forget(database, but=[builder.generation, *([live] if live else [])])
    return outcome


async def look(database: Mongo, builder: Builder, live: str | None) -> dict[str, Any]:
    """Compare with a live projection that moves on: a row that once was equal is no difference."""
    outcome: dict[str, Any] = {}
    for _ in range(_LOOKS):
        barrier = await builder.barrier(live)
        await builder.follow(barrier)
        await builder.store_results(builder.generation)
        outcome = await compare(database, live, builder.generation, barrier)
        if not outcome.get("differences"):
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return outcome


async def compare(database: Mongo, live: str | None, new: str, barrier: Positions) -> dict[str, Any]:
    """The digests of both generations and the rows that differ, but for those that `explaining` knows."""
    if live is None or not await generations.checkpoint(database, live).exists():
        return {"digest": digest.combined(await digest.of_generation(database, new))}
    compared = await digest.compare(database, live, new)
    known = await explained(database, live, new, barrier, compared.differences)
    return {
        "digest": digest.combined(compared.other),
        "digest_before": digest.combined(compared.one),
        "differences": [difference for difference in compared.differences if difference not in known],
    }


@asynccontextmanager
async def alone(ownership: Ownership) -> AsyncIterator[None]:
    """Be the only rebuild. Raises Rejected("rebuild_running")."""
    if not await ownership.acquire():
        raise Rejected("rebuild_running")
    async with holding(ownership):
        yield


def report(**words: Any) -> None:
    """Print one JSON line for the process that started the rebuild."""
    print(orjson.dumps(words).decode(), flush=True)


async def main(mode: RebuildMode, *, from_zero: bool = False) -> None:
    """Run the rebuild. The last line names the reason of a refusal."""
    try:
        await rebuild(read(ProgressSettings), mode, from_zero=from_zero)
    except Rejected as error:
        report(step="refused", reason=" ".join(describe(error.code, error.facts)))
    except LeaseLost:
        report(step="refused", reason=" ".join(describe("rebuild_taken_over", {})))
