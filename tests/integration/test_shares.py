"""A long replay in several processes comes to what one process comes to, and none of them outlives whoever began it."""

import asyncio
import subprocess
import sys
import uuid

import orjson
import pytest

from services.progress.projection import generations
from services.progress.rebuild import digest, replay_pool
from services.progress.rebuild.builder import Builder
from services.progress.settings import ProgressSettings
from shared.kafka.producer import Producer
from shared.projecting.checkpoint import Positions, to_row
from shared.runtime.settings import SharedSettings
from shared.storage.mongo import Mongo
from tests.support import processes
from tests.support.facts import life
from tests.support.wait import until


@pytest.fixture
def own(settings: SharedSettings, monkeypatch: pytest.MonkeyPatch) -> ProgressSettings:
    """The settings of this test, also for the processes that it starts."""
    for name, value in settings.model_dump().items():
        monkeypatch.setenv(f"PAGESTREAM_{name.upper()}", str(value))
    return ProgressSettings()


async def builder_of(own: ProgressSettings, database: Mongo) -> Builder:
    """Of a new generation."""
    return Builder(own, database, await generations.begin(database, own.partitions), lambda done, total: None)


async def the_end(builder: Builder, producer: Producer) -> Positions:
    """Where the log ends, with some documents in it."""
    for _ in range(20):
        for fact in life(str(uuid.uuid4())):
            await producer.append(fact)
    return await builder.barrier(None)


async def test_several_processes_fold_what_one_folds(
    own: ProgressSettings, database: Mongo, producer: Producer
) -> None:
    alone, together = await builder_of(own, database), await builder_of(own, database)
    end = await the_end(alone, producer)
    folded: list[int] = []
    await alone.fold(end)
    await replay_pool.replay(together.generation, end, folded.append)
    compared = await digest.compare(database, alone.generation, together.generation)
    assert (compared.differences, compared.one) == ([], compared.other)
    assert await database.projection("documents", together.generation).count_documents({}) >= 20
    assert await together.checkpoint.load() == await alone.checkpoint.load()
    assert 0 < sum(folded) <= sum(end.values())


async def test_a_share_that_fails_ends_the_others_and_is_told(
    own: ProgressSettings, database: Mongo, producer: Producer
) -> None:
    end = await the_end(await builder_of(own, database), producer)
    with pytest.raises(ExceptionGroup, match="unhandled errors") as failed:
        await replay_pool.replay("nobody", end, lambda count: None)
    assert "ended with exit code 1" in str(failed.value.exceptions[0])
    assert processes.naming("nobody") == []


async def test_a_share_ends_with_whoever_began_it(own: ProgressSettings, database: Mongo, producer: Producer) -> None:
    builder = await builder_of(own, database)
    beyond = {place: offset + 1 for place, offset in (await the_end(builder, producer)).items()}
    share = await asyncio.create_subprocess_exec(
        sys.executable, "-m", replay_pool.MODULE, "fold", builder.generation, "0", "1", stdin=subprocess.PIPE
    )
    assert share.stdin
    share.stdin.write(orjson.dumps(to_row(beyond)) + b"\n")

    async def at_work() -> bool:
        return sum((await builder.checkpoint.load()).values()) > 0

    await until(at_work, what="it folds")
    assert share.returncode is None  # it waits for what is not there yet
    share.stdin.close()
    assert await asyncio.wait_for(share.wait(), 10) == 1
