"""Clocks that are a minute apart, or jump back an hour, do no harm: what is compared is told by one clock."""

from datetime import datetime, timedelta

import pytest

from services.gateway.api.health import projection_state
from services.gateway.auth import tokens as tokens_module
from services.gateway.auth.callers import LOCAL
from services.gateway.auth.tokens import Tokens
from services.gateway.queries.service_status import ServiceStatus
from services.progress.projection.job_projector import JobProjector
from shared.events import document
from shared.events.document import utcnow
from shared.events.standalone_job import JobProgress, JobStarted
from shared.projecting import heartbeat
from shared.projecting.batch import JobEntry
from shared.projecting.checkpoint import Checkpoint
from shared.projecting.loop import Loop
from shared.runtime.settings import SharedSettings
from shared.storage.blobs import Blobs
from shared.storage.mongo import Mongo
from tests.support.job_facts import JOB, say

SKEWS = [timedelta(seconds=-60), timedelta(seconds=60), timedelta(hours=-1)]


class Projector:
    """The projector of jobs, whose machine's clock is `ahead` of the gateway's; `now` is the true time."""

    def __init__(self, database: Mongo, settings: SharedSettings, ahead: timedelta) -> None:
        self.passed = 0.0
        self._began = utcnow()
        self._ahead = ahead
        self._jobs = JobProjector(database, "g1", Blobs.open(settings.store), None, lambda: self.passed)
        self._offset = 0
        self.facts: set[str] = set()

    def gateways_clock(self) -> datetime:
        return self._began + timedelta(seconds=self.passed)

    async def read(self, item: JobStarted | JobProgress) -> None:
        self._offset += 1
        await self._jobs.write(await self._jobs.fold([JobEntry(self._offset, item)]))

    async def sweep(self) -> None:
        for fact in await self._jobs.silent(self.gateways_clock() + self._ahead):
            self.facts.add(fact.event_id)
            await self.read(fact)  # type: ignore[arg-type]


@pytest.mark.parametrize("ahead", SKEWS)
async def test_a_job_that_gives_signs_of_life_is_never_said_to_be_silent(
    database: Mongo, settings: SharedSettings, ahead: timedelta
) -> None:
    await database.create_projections("g1")
    projector = Projector(database, settings, ahead)
    await projector.read(say(JobStarted, kind="import", silent_after=5, at=projector.gateways_clock()))
    for _ in range(20):
        projector.passed += 2
        await projector.sweep()
        await projector.read(JobProgress(job_id=JOB, tenant="acme", percent=1, at=projector.gateways_clock()))
        await projector.sweep()
    assert projector.facts == set()


@pytest.mark.parametrize("ahead", SKEWS[:2])
async def test_each_silence_of_a_job_is_said_once(database: Mongo, settings: SharedSettings, ahead: timedelta) -> None:
    await database.create_projections("g1")
    projector = Projector(database, settings, ahead)
    await projector.read(say(JobStarted, kind="import", silent_after=5, at=projector.gateways_clock()))
    for silences in (1, 2, 3):
        for _ in range(100):  # as long as the clocks are apart, at most
            projector.passed += 1
            await projector.sweep()
        assert len(projector.facts) == silences
        await projector.read(JobProgress(job_id=JOB, tenant="acme", percent=1, at=projector.gateways_clock()))


@pytest.mark.parametrize("skew", SKEWS)
async def test_readiness_depends_on_no_clock_of_ours(
    database: Mongo, settings: SharedSettings, monkeypatch: pytest.MonkeyPatch, skew: timedelta
) -> None:
    real = document.utcnow
    for module in (document, heartbeat, tokens_module):
        monkeypatch.setattr(module, "utcnow", lambda: real() + skew, raising=False)
    loop = Loop(settings.kafka, Checkpoint(database, "progress", "g1"), None)  # type: ignore[arg-type]
    loop.caught_up = True
    await heartbeat.publish(database, "progress", loop, {"generation": "$g1"})
    row = await ServiceStatus(database).projector()
    assert row is not None
    assert projection_state(row) == "ok"
    assert row["generation"] == "$g1"  # no expression


@pytest.mark.parametrize("skew", SKEWS)
async def test_a_token_of_half_a_minute_is_good_at_every_gateway(
    database: Mongo, monkeypatch: pytest.MonkeyPatch, skew: timedelta
) -> None:
    tokens = Tokens(database)
    await tokens.prepare()
    monkeypatch.setattr(tokens_module, "utcnow", lambda: document.utcnow() + skew, raising=False)
    token = await tokens.add(LOCAL, "read", timedelta(seconds=30), document_id="d", batch=None)
    monkeypatch.undo()
    assert [row["_id"] for row in await tokens.valid({"tenant": LOCAL.tenant})] == [token.id]
    expired = await tokens.add(LOCAL, "read", timedelta(0), document_id="d", batch=None)
    assert expired.id not in {row["_id"] for row in await tokens.valid({"tenant": LOCAL.tenant})}
