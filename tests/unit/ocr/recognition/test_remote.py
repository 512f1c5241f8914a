"""The engine `http` against a real server on this machine that answers as it is told."""

import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from services.ocr import handlers
from services.ocr.pages import text_of
from services.ocr.recognition import remote, shared_circuit
from services.ocr.recognition.engines import chosen_by
from services.ocr.recognition.provider import Provider
from services.ocr.recognition.remote import Remote
from services.ocr.settings import OcrSettings
from shared.errors import Rejected, Transient
from shared.harness.contract import Task
from tests.support.ocr_provider import READ, Answer, Service, hangs_up, says, serving
from tests.unit.ocr.conftest import TaskOf, configure
from tests.unit.ocr.documents import drawn


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as service:
        yield service


class Ticks(list[tuple[str, dict[str, Any]]]):
    def __call__(self, code: str, fraction: float = 0.0, /, **params: Any) -> None:
        self.append((code, params))


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def task(ticks: Ticks, tmp_path: Path, task_of: TaskOf) -> Task:
    source = tmp_path / "source"
    source.touch()
    return replace(task_of(source), tick=ticks)


def read(service: Service, task: Task, *, seconds: float = 10, patience: float = 20) -> str:
    engine = Remote(Provider(service.url, "secret", seconds), "m1", patience)
    return text_of(engine.reader(task, ("eng", "deu"))(drawn()))


def test_the_picture_goes_out_and_lines_with_places_come_back(service: Service, task: Task) -> None:
    engine = Remote(Provider(service.url, "secret", 10), "m1", 20)
    lines = engine.reader(task, ("eng", "deu"))(drawn())
    assert text_of(lines) == "good morning\n\nall"
    assert [(word.box, word.confidence) for word in lines[0].words] == [((1, 2, 30, 12), 91.5), ((35, 2, 80, 12), None)]
    (path, headers, body) = service.asked[0]
    assert path == "/read?languages=eng%2Bdeu"
    assert (headers["content-type"], headers["authorization"]) == ("image/png", "Bearer secret")
    with Image.open(BytesIO(body)) as sent, drawn() as picture:
        assert sent.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    "trouble",
    [says(500), says(503), says(429), says(401), says(200, b"<html>no"), says(200, {"lines": 3}), hangs_up],
    ids=["500", "503", "429", "401", "not JSON", "not lines", "hangs up"],
)
def test_what_may_pass_is_asked_again(service: Service, task: Task, trouble: Answer) -> None:
    service.answers = [trouble, says(200, READ)]
    assert read(service, task).startswith("good morning")
    assert len(service.asked) == 2


def test_no_answer_in_time_is_asked_again(service: Service, task: Task) -> None:
    service.answers = [service.never_answers, says(200, READ)]
    assert read(service, task, seconds=0.3).startswith("good morning")


@pytest.mark.parametrize("as_date", [False, True])
def test_the_provider_is_not_asked_before_it_said_and_people_are_told_whom_we_wait_for(
    service: Service, task: Task, ticks: Ticks, as_date: bool
) -> None:
    allowed: list[float] = []  # on the wall clock, to which a date belongs

    def not_now(request: BaseHTTPRequestHandler) -> None:
        date = int(time.time()) + 3
        allowed.append(date if as_date else time.time() + 2)
        says(503, retry_after=formatdate(date, usegmt=True) if as_date else "2")(request)

    def now(request: BaseHTTPRequestHandler) -> None:
        allowed.append(time.time())
        says(200, READ)(request)

    service.answers = [not_now, now]
    assert read(service, task).startswith("good morning")
    asked_too_early, asked = allowed
    assert asked >= asked_too_early - 0.1
    assert ticks[0] == ("ocr.waiting_for_provider", {"provider": "127.0.0.1", "seconds": ticks[0][1]["seconds"]})


def test_a_wait_beyond_our_patience_is_a_retry_of_the_stage_at_that_time(service: Service, task: Task) -> None:
    service.answers = [says(503, retry_after="3600")]
    with pytest.raises(Transient) as caught:
        read(service, task)
    assert caught.value.code == "provider_unavailable"
    assert caught.value.facts == {"provider": "127.0.0.1", "detail": "status 503"}
    assert 3590 <= (caught.value.retry_after or 0) <= 3600
    with pytest.raises(Transient):
        read(service, task)  # the next page does not even ask
    assert len(service.asked) == 1


def test_a_page_that_is_refused_is_not_asked_again_and_says_nothing_of_the_provider(
    service: Service, task: Task
) -> None:
    service.answers = [says(422)]
    for _ in range(6):  # more than open the circuit
        with pytest.raises(Rejected) as caught:
            read(service, task)
        assert (caught.value.code, caught.value.facts["status"]) == ("provider_refused", 422)
    assert len(service.asked) == 6


def test_the_circuit_opens_after_failures_in_a_row_and_closes_again(
    service: Service, task: Task, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(shared_circuit, "OPEN_SECONDS", 3600)
    service.answers = [says(500)]
    with pytest.raises(Transient):
        read(service, task, patience=60)
    assert len(service.asked) == 5
    with pytest.raises(Transient):
        read(service, task, patience=60)
    assert len(service.asked) == 5  # open: nobody is asked
    later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3597)  # 3 s are left
    monkeypatch.setattr(shared_circuit, "time", later)
    service.answers = [says(200, READ)]
    assert read(service, task).startswith("good morning")
    assert ticks[-1][0] == "ocr.waiting_for_provider"
    assert service.times[5] - service.times[4] >= 2.9
    told = len(ticks)
    assert read(service, task).startswith("good morning")
    assert len(ticks) == told  # closed: nobody waits


def test_an_answer_without_end_is_cut_off(service: Service, task: Task) -> None:
    service.answers = [says(200, b" " * (17 * 1024 * 1024))]
    with pytest.raises(Transient) as caught:
        read(service, task, patience=0)
    assert "more than 16777216 bytes" in caught.value.facts["detail"]


def test_the_setting_chooses_it_and_its_address_and_model_are_in_the_plans_identity(
    service: Service, task_of: TaskOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, ENGINE="http", HTTP_URL=service.url, HTTP_MODEL="m7")
    path = tmp_path / "picture"
    drawn().save(path, format="PNG")
    task = task_of(path)
    plan = handlers.plan(task)
    assert plan.engine.startswith(f"http {service.url} m7 eng")
    (page,) = handlers.work(task, plan.slices[0])["pages"]
    assert page["text"] == "good morning\n\nall"


def test_without_an_address_the_service_does_not_start() -> None:
    with pytest.raises(ValueError, match="PAGESTREAM_OCR_HTTP_URL"):
        OcrSettings(engine="http")
    assert chosen_by(OcrSettings()).identity
