"""The whole system with an OCR service over HTTP that is slow, overloaded and broken before it is well."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from cli.programs import service_programs
from shared.events.document import RetryScheduled, SliceFailed
from stack.process import Program
from stack.running import Running
from tests.support import pdfs, running_system
from tests.support.ocr_provider import READ, Answer, Service, says, serving
from tests.support.running_system import RunningSystem
from tests.support.wait import until

pytestmark = pytest.mark.timeout(240)

PATIENCE = 10  # seconds that a page waits for its answer, with all its tries
WELL = says(200, READ)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture
def provider(service: Service) -> Service:
    """The service, which nobody has asked yet."""
    service.asked.clear()
    service.times.clear()
    return service


@pytest.fixture(scope="module")
def system(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system whose pages are read by the service, two at a time."""
    about = {
        "PAGESTREAM_OCR_ENGINE": "http", "PAGESTREAM_OCR_HTTP_URL": service.url, "PAGESTREAM_OCR_HTTP_PAGES": "2",
        "PAGESTREAM_OCR_HTTP_PATIENCE_SECONDS": str(PATIENCE), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip

    def programs(running: Running) -> list[Program]:
        return [replace(program, env={**program.env, **about}) for program in service_programs(running)]

    with running_system.running(tmp_path_factory.mktemp("http")) as system:
        system.begin(programs)
        yield system


async def test_a_document_is_read_through_delays_refusals_and_failures_of_the_provider(
    system: RunningSystem, provider: Service
) -> None:
    provider.answers = [slowly(provider), says(429, retry_after="5"), says(500), says(500), WELL]
    document_id = await system.upload(pdfs.scan(4))
    await until_waiting(system, document_id)
    view = await system.until(document_id)
    assert (view["status"], view["partial"], view["stages"]["ocr"]["attempt"]) == ("completed", False, 1)
    assert len(provider.asked) == 4 + 3
    assert (await system.get(f"{document_id}/text"))["text"] == "\n\n".join(["good morning\n\nall"] * 4)
    assert await system.slices_done(document_id) == Counter(range(4))


async def test_a_wait_beyond_the_patience_of_a_page_is_a_retry_when_the_provider_said(
    system: RunningSystem, provider: Service
) -> None:
    provider.answers = [says(503, retry_after=str(PATIENCE + 5)), WELL]
    document_id = await system.upload(pdfs.scan(3))
    stage = await until_scheduled(system, document_id)
    assert (stage["status"], stage["error"]["code"]) == ("retrying", "provider_unavailable")
    view = await system.until(document_id)
    assert (view["status"], view["partial"], view["stages"]["ocr"]["retry_count"]) == ("completed", False, 1)
    facts = await system.facts(document_id)
    assert {fact.error.code for fact in facts if isinstance(fact, SliceFailed)} == {"provider_unavailable"}
    assert len([fact for fact in facts if isinstance(fact, RetryScheduled)]) == 1
    since = [at - provider.times[0] for at in provider.times]
    in_flight = [each for each in since if each < PATIENCE]  # the other place may have asked as well
    assert len(in_flight) <= 2
    assert all(each >= PATIENCE + 5 for each in since[len(in_flight) :])
    assert len(provider.asked) == 3 + 1  # the first told the others, and each was read once


def slowly(provider: Service) -> Answer:
    """Well, but two seconds late."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        provider.over.wait(2)
        WELL(request)

    return answer


async def until_waiting(system: RunningSystem, document_id: str) -> None:
    """Return as soon as people read whom their document waits for."""

    async def waits() -> bool:
        message = (await system.get(document_id))["stages"]["ocr"]["message"] or {}
        return bool(message.get("code") == "ocr.waiting_for_provider" and "127.0.0.1" in message["text"])

    await until(waits, 60, what="the document waits for the provider")


async def until_scheduled(system: RunningSystem, document_id: str) -> dict[str, Any]:
    """How the OCR stage stands as soon as people read when it is tried again."""

    async def scheduled() -> dict[str, Any] | None:
        stage: dict[str, Any] = (await system.get(document_id))["stages"]["ocr"]
        return stage if stage["next_attempt_at"] else None

    return await until(scheduled, 60, what="the next attempt has a time")
