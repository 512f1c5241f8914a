"""A child process of a stage, faked: what it computes follows from the document, how it goes is drawn."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from zlib import crc32

from shared.errors import Rejected, Transient
from shared.harness.contract import Plan
from shared.harness.sandbox.child import is_little
from shared.harness.sandbox.pool import ChildFailed, Crashed
from shared.storage.blobs import seal, unseal
from tests.simulation.scheduler import loop

_SMALL: Final = 2  # pages: every other document that is not larger is done under one claim a stage
_LITTLE: Final = 0.05  # seconds of expected work
NOWHERE: Final = "/nonexistent/simulated"  # where local files would be
OnTick = Callable[[Mapping[str, Any]], None]


class Child:
    """In place of `shared.harness.sandbox.pool.Child`."""

    kept_network = ""

    def __init__(self, module: str, *_: Any, **__: Any) -> None:
        self._stage = module

    async def kill(self) -> None:
        """Nothing of it stays."""

    async def run(
        self, request: Mapping[str, Any], *, on_tick: OnTick, on_step: Callable[[bytes], None], **_: Any
    ) -> bytes:
        """Raises Rejected, Transient, Crashed, ChildFailed; takes time."""
        sealed = await self._step(request, on_tick)
        plan = Plan.model_validate(unseal(sealed)) if request["function"] == "plan" else None
        if plan is None or not is_little(plan, request):
            return sealed
        on_step(sealed)
        for slice_ in plan.slices:
            work = {**request, "function": "work", "slice": slice_.model_dump(mode="json")}
            on_step(await self._step(work, on_tick))
        return await self._step({**request, "function": "conclude", "handed": len(plan.slices)}, on_tick)

    async def _step(self, request: Mapping[str, Any], on_tick: OnTick) -> bytes:
        world: Any = loop().world
        document = world.scenario.document(request["document"]["filename"])
        function = request["function"]
        _read(world, request)
        await self._take_time(function, on_tick, world)
        number = request["slice"]["args"]["number"] if function == "work" else -1
        _fail(world, document, number)
        return seal(getattr(self, f"_{function}")(request, document))

    async def _take_time(self, function: str, on_tick: OnTick, world: Any) -> None:
        random = loop().random
        seconds = random.uniform(0.2, 1.0) * world.scenario.page_seconds if function == "work" else 0.05
        if random.random() < world.faults.rates["slow_child"]:
            seconds += random.uniform(2.0, 25.0)
        if function == "work" and random.random() < world.faults.rates["ticks"]:
            await asyncio.sleep(seconds / 2)
            seconds /= 2
            on_tick({"code": "ocr.reading_page", "fraction": 0.5, "params": {"page": 1}})
        await asyncio.sleep(seconds)

    def _plan(self, _: Any, document: Any) -> dict[str, Any]:
        pages = document.pages if self._stage == "ocr" else max(1, document.pages // 2)
        weight = _LITTLE if pages <= _SMALL and crc32(f"{_seed()}/{document.name}".encode()) % 2 else 1.5
        slices = [{"weight": weight, "pages": [n + 1, n + 1], "args": {"number": n}} for n in range(pages)]
        return {"engine": "simulated/1", "slices": slices, "page_count": pages if self._stage == "ocr" else None}

    def _work(self, request: Mapping[str, Any], document: Any) -> dict[str, Any]:
        return {"text": f"{document.name} {self._stage} {request['slice']['args']['number']}"}

    def _conclude(self, request: Mapping[str, Any], document: Any) -> dict[str, Any]:
        results = request.get("results", [""] * request.get("handed", 0))
        there = [number for number, name in enumerate(results) if name is not None]
        text = f"{document.name} {self._stage} {there}"
        if self._stage == "chunk":
            chunks = [
                {"index": place, "text": f"{text} {n}", "pages": [n + 1, n + 1], "start": n, "end": n + 1}
                | {"heading_path": [], "vector": None}
                for place, n in enumerate(there)
            ]
            return {"chunks": chunks}
        return {"title": text, "findings": [], "warnings": []}


def _seed() -> int:
    world: Any = loop().world
    return int(world.scenario.seed)


def _read(world: Any, request: Mapping[str, Any]) -> None:
    """What the work is given must be sound. Raises BlobDamaged."""
    results = [name for name in request.get("results", ()) if name is not None]
    for path in [*request["earlier"].values(), *([request["plan"], *results] if results else [])]:
        unseal(world.bucket.get(path.removeprefix(f"{NOWHERE}/")))


def _fail(world: Any, document: Any, number: int) -> None:
    draw, rates = loop().random.random(), world.faults.rates
    if number in document.bad and not world.healed:
        raise Rejected("corrupt_image", detail="cut off", page=number + 1)
    if draw < rates["transient"]:
        raise Transient("provider_unavailable", provider="model", detail="503")
    draw -= rates["transient"]
    if draw < rates["crash"]:
        raise Crashed("crashed", detail="SIGSEGV")
    draw -= rates["crash"]
    if draw < rates["bug"]:
        raise ChildFailed("Traceback: simulated")
