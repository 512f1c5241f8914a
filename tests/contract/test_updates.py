"""The topic `updates`: the gateway finds epoch and version where the projector writes them, and decodes nothing."""

from typing import Any

import orjson
import pytest

from services.gateway.live.updates_consumer import _STATED
from services.progress.projection.job_projector import JobProjector
from services.progress.projection.projector import Projector


def of_document(row: dict[str, Any]) -> bytes:
    projector = object.__new__(Projector)
    projector.generation = "k3f9qa"
    return projector._update("9c970830-2b87-43c2-b187-5d1486e96878", row)


def of_job() -> bytes:
    projector = object.__new__(JobProjector)
    projector._generation = "k3f9qa"
    return orjson.dumps(projector._update("job-4c1fa2", {"version": 7_000_003}))


@pytest.mark.parametrize(
    "value",
    [
        of_document({"version": 7_000_003, "deleted": False, "view": {"status": "completed"}}),
        of_document({"version": 7_000_003, "deleted": True}),
        of_job(),
    ],
    ids=["document", "deleted", "job"],
)
def test_the_gateway_reads_what_the_projector_writes(value: bytes) -> None:
    stated = _STATED.match(value)
    assert stated
    assert (stated[1], int(stated[2])) == (b"k3f9qa", 7_000_003)
