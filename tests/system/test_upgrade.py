"""Data that version 0.1 has written: the services of today start on it, show the same, and a rebuild finds the same.

`recorded/` holds a system with 30 documents (completed, failed and tried again, cancelled), an erased one and two
standalone jobs, and what its gateway answered before it was stopped. It was recorded by `tests.support.recording`, is
synthetic, and is never recorded anew: every later version must start on it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from shared.kafka import topics
from tests.support import pdfs, recording, running_system
from tests.support.rebuild import rebuild
from tests.support.running_system import RunningSystem
from tests.support.wait import until

RECORDED: Final = Path(__file__).parent / "recorded"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[RunningSystem]:
    """A system on a broker and a database of its own, whose services are not started yet."""
    with running_system.running(tmp_path) as system:
        yield system


async def answer(system: RunningSystem, path: str) -> Any:
    return (await system.call("GET", f"/v1/{path}")).json()


async def chunks(system: RunningSystem, names: Iterable[str]) -> list[Any]:
    return [chunk for name in names for chunk in (await answer(system, f"documents/{name}/chunks"))["chunks"]]


async def test_data_of_version_0_1_is_shown_as_before_and_rebuilt_without_a_difference(stopped: RunningSystem) -> None:
    system, settings = stopped, stopped.settings
    before = orjson.loads((RECORDED / "views.json").read_bytes())
    await topics.provision(settings.kafka, partitions=settings.partitions)
    store = Path(settings.store.removeprefix("file://"))
    await recording.restore(RECORDED / "system.tar.xz", settings.kafka, settings.mongo, store)

    await system.start()

    assert len(before["documents"]) == 30
    for kind in ("documents", "jobs"):
        for name, view in before[kind].items():
            assert view.items() <= (await answer(system, f"{kind}/{name}")).items(), name
    for name, extraction in before["extractions"].items():
        assert await answer(system, f"documents/{name}/extraction") == extraction
    for name, timeline in before["timelines"].items():
        assert await answer(system, f"documents/{name}/timeline") == timeline
    assert (await answer(system, f"documents/{before['deleted']}"))["code"] == "document.not_found"

    failed = [view for view in before["documents"].values() if view["status"] == "failed"]
    assert sum((await answer(system, "system"))["failures"].values()) == len(failed)
    chunk = next(iter(await chunks(system, before["extractions"])))

    async def is_found() -> bool:
        results = (await answer(system, f"search?q={chunk['text'].split()[0]}")).get("results", [])
        return chunk["text"] in [found["text"] for found in results]

    await until(is_found)

    outcome = await rebuild(system, "dry-run")
    assert outcome["differences"] == []
    assert outcome["digest"] == outcome["digest_before"]

    await system.until(await system.upload(pdfs.born_digital(1)))  # and it goes on
