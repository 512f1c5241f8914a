"""A new stage is a folder with three functions and a line in the pipeline; documents from before stay as they were."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from cli.programs import service_programs
from shared.events.document import StageCompleted
from shared.storage.blobs import Blobs
from stack.process import Program
from stack.running import Running
from tests.support import pdfs
from tests.support.infrastructure import REPOSITORY
from tests.support.running_system import RunningSystem

LINE: Final = '    StageLine(stage="sentiment", weight=0.01, service="services.sentiment"),\n'

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one folder and one line more."""
    copy = tmp_path_factory.mktemp("extended")
    for package in ("services", "shared"):
        shutil.copytree(REPOSITORY / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(Path(__file__).parent / "sentiment", copy / "services" / "sentiment")
    pipeline = copy / "shared" / "events" / "pipeline.py"
    before = pipeline.read_text()
    after = re.sub(r"(PIPELINE: .*?)^\)", rf"\1{LINE})", before, flags=re.DOTALL | re.MULTILINE)
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    pipeline.write_text(after)
    return copy


@pytest.fixture
async def services_run_afterwards(system: RunningSystem) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(system.end)
    await asyncio.to_thread(system.begin)


def of_copy(copy: Path) -> dict[str, str]:
    """The environment in which the copy's modules are found, and not those beside us."""
    return {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}


async def run(system: RunningSystem, copy: Path, module: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env={**os.environ, **system.environment, **of_copy(copy)}, stdout=-1, stderr=-1
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, output.decode() + errors.decode()


async def start_copy(system: RunningSystem, copy: Path) -> None:
    """Start the services from the copy, the new one among them."""

    async def provide(_: Running) -> None:
        await run(system, copy, "shared.provisioning")

    def programs(running: Running) -> list[Program]:
        sentiment = Program("sentiment", (sys.executable, "-m", "services.sentiment"))
        every = [sentiment, *service_programs(running)]
        return [replace(program, env={**program.env, **of_copy(copy)}) for program in every]

    await asyncio.to_thread(system.begin, programs, [provide])
    await system.until_ready()


async def shown(system: RunningSystem, ids: list[str]) -> list[dict[str, Any]]:
    """What people see of documents that are at rest, without the epoch."""
    return [{k: v for k, v in (await system.get(i)).items() if k != "epoch"} for i in ids]


async def test_a_new_stage_runs_for_new_documents_and_old_ones_stay_as_they_were(
    system: RunningSystem, extended: Path, services_run_afterwards: None
) -> None:
    old = [await system.upload(pdfs.letter("Anna")), await system.upload(pdfs.broken())]
    for document_id in old:
        await system.until(document_id)
    before = await shown(system, old)
    await system.until_ready()
    await asyncio.to_thread(system.end)

    await start_copy(system, extended)
    new = await system.upload(pdfs.letter("Bruno"))
    view = await system.until(new)
    assert view["status"] == "completed"
    assert list(view["stages"]) == ["ocr", "chunk", "extract", "sentiment"]
    stage = view["stages"]["sentiment"]
    assert (stage["status"], stage["percent"], stage["error"]) == ("completed", 100, None)
    assert stage["message"]["text"]
    assert await balance(system, new) == 2
    assert await system.slices_done(new, "sentiment") == {0: 1}
    assert await shown(system, old) == before
    assert {tuple(view["stages"]) for view in before} == {("ocr", "chunk", "extract")}

    generation = await system.until_ready()
    everything = await shown(system, [*old, new])
    await system.drop_projections()
    await system.until_ready(but=generation)
    assert await shown(system, [*old, new]) == everything


async def balance(system: RunningSystem, document_id: str) -> int:
    """What the new stage has found, from the result that its fact names."""
    facts = await system.facts(document_id)
    (result,) = {f.result for f in facts if isinstance(f, StageCompleted) and f.stage == "sentiment"}
    found = await Blobs.open(system.settings.store).get_result(result)
    return int(found["balance"])
