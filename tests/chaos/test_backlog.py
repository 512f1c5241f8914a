"""A long queue behind much that is done: the read side is thrown away, and no view differs afterwards."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any, Final
from uuid import UUID, uuid5

import pytest

from shared.document.codec import from_row
from shared.events.document import (
    DocumentCompleted,
    Fact,
    SliceCompleted,
    StageCompleted,
    StagePlanned,
    StageStarted,
)
from shared.events.pipeline import StageLine
from shared.kafka.producer import Producer
from shared.storage import mongo
from shared.storage.mongo import Mongo
from tests.chaos.chaos_system import STAGES, ChaosSystem
from tests.chaos.conftest import Fault
from tests.support.facts import say, uploaded
from tests.support.wait import until

DOCUMENTS: Final = 25_000
WAITING: Final = 12_000  # more than a fold keeps in memory: their uploads are that far ahead of the work
AT_ONCE: Final = 5_000
FOLDS: Final = ("progress", *(f"coordinator/{stage}" for stage in STAGES))
LIVE: Final = ("epoch", "eta_seconds", "version", "message")  # where it stands in the queue is told anew
OCR: Final[dict[str, Any]] = {"stage": "ocr", "attempt": 1}

pytestmark = [pytest.mark.timeout(420), pytest.mark.soak]


def ids() -> list[str]:
    return [str(uuid5(UUID(int=7), str(number))) for number in range(DOCUMENTS)]


def work(i: str) -> list[Fact]:
    """A document of one stage, from its start to its end."""
    return [
        say(StageStarted, i, "ocr/1", **OCR),
        say(StagePlanned, i, "ocr/1/plan", **OCR, plan="p", slices=1, weight=1.0, page_count=1),
        say(SliceCompleted, i, "ocr/p/0", **OCR, plan="p", slice=0, weight=1.0, pages=(1, 1)),
        say(StageCompleted, i, "ocr/1", **OCR, plan="p", result=f"default/{i}/ocr/p/result"),
        say(DocumentCompleted, i, "1", run=1),
    ]


def history() -> Iterator[Fact]:
    """Uploads run ahead of the work by WAITING documents, and so many are left."""
    line = (StageLine(stage="ocr", weight=1.0),)
    known = ids()
    for number, i in enumerate(known):
        yield uploaded(i).model_copy(update={"pipeline": line})
        if number >= WAITING:
            yield from work(known[number - WAITING])


async def write(system: ChaosSystem) -> None:
    async with Producer.connect(system.settings.kafka) as producer:
        facts = history()
        while several := list(islice(facts, AT_ONCE)):
            await producer.append_all([(fact, ()) for fact in several])


async def caught_up(database: Mongo) -> bool:
    rows = {row["_id"]: row async for row in database.control["status"].find({"_id": {"$in": list(FOLDS)}})}
    at_rest = all(rows.get(fold, {}).get("caught_up") and rows[fold]["lag"] == 0 for fold in FOLDS)
    return at_rest and len([row async for row in documents(database, await database.live_generation())]) == DOCUMENTS


async def documents(database: Mongo, generation: str | None) -> AsyncIterator[dict[str, Any]]:
    async for row in database.projection("documents", generation or "").find({}, {"view": 1, "settled": 1}):
        yield row


async def seen(database: Mongo) -> dict[str, Any]:
    """What readers are shown of each document, and what each coordinator believes of it."""
    found: dict[str, Any] = {}
    async for row in documents(database, await database.live_generation()):
        shown = {name: value for name, value in row["view"].items() if name not in LIVE}
        shown["stages"] = {stage: {**of, "message": None} for stage, of in shown["stages"].items()}
        found[row["_id"]] = shown, row["settled"]
    async for row in database.coordinator("ocr").find():
        found[f"coordinator/{row['_id']}"] = row["active"], from_row(row["settled"]).status
    return found


async def test_24_the_projections_dropped_while_twelve_thousand_documents_wait(ruin: ChaosSystem, fault: Fault) -> None:
    """Workers are not there, so that what waits goes on waiting."""
    role = {"PAGESTREAM_ROLE": "coordinator"}
    roles = dict.fromkeys(STAGES.values(), role)
    async with ruin.armed(roles, "coordinator starts"), mongo.connect(ruin.settings) as database:
        await write(ruin)
        await until(lambda: caught_up(database), within=150, every=1.0, what="the folds have read everything")
        before = await seen(database)
        with fault(24, f"projections dropped, {WAITING} of {DOCUMENTS} documents waiting"):
            epoch = await database.live_generation()
            await ruin.drop_projections()

            async def anew() -> bool:
                return await database.live_generation() not in (None, epoch) and await caught_up(database)

            await until(anew, within=150, every=1.0, what="the folds have read everything again")
        after = await seen(database)
    statuses = [after[i][0]["status"] for i in ids()]
    assert (statuses.count("completed"), statuses.count("uploaded")) == (DOCUMENTS - WAITING, WAITING)
    assert [(before[i], after.get(i)) for i in before if before[i] != after.get(i)][:1] == []
    assert after.keys() == before.keys()
