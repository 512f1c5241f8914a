"""Running until told to stop, and the demo against a system that runs already."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import exits, samples
from cli.__main__ import app
from cli.demo import as_expected
from cli.programs import service_programs
from cli.up import for_ever, until_interrupted
from shared.errors import Rejected, Transient
from stack.running import Running
from tests.support.extractions import a_finding, an_extraction
from tests.support.fake_gateway import FakeGateway, told, view

FILES = [Path(name) for name in ("scan.pdf", "invoice.pdf", "receipt.jpg", "broken.pdf")]


async def test_a_signal_ends_the_work_after_it_has_cleaned_up_and_more_signals_do_not_cut_that_short():
    steps: list[str] = []

    async def work() -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await for_ever()
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(3):  # the loop gets to see the signal
                await asyncio.sleep(0)
            steps.append("stopped")

    before = signal.getsignal(signal.SIGTERM)
    assert await until_interrupted(work()) == exits.COMPLETED
    assert steps == ["stopped"]
    assert signal.getsignal(signal.SIGTERM) is before


async def test_work_that_ends_by_itself_keeps_its_code_and_its_error():
    async def work(error: Exception | None) -> int:
        if error:
            raise error
        return exits.FAILED

    assert await until_interrupted(work(None)) == exits.FAILED
    with pytest.raises(Rejected):
        await until_interrupted(work(Rejected("encrypted")))


@pytest.mark.parametrize(
    ("error", "code"), [(Rejected("encrypted"), exits.REFUSED), (Transient("store_full"), exits.UNREACHABLE)]
)
def test_what_keeps_the_stack_from_starting_is_told_with_what_to_do(error, code, capsys):
    async def work() -> int:
        raise error

    with pytest.raises(typer.Exit) as ended:
        exits.run(work())
    assert ended.value.exit_code == code
    assert str(error) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"4": "completed"}, False),
        ({"1": "failed"}, False),
        ({"2": "cancelled"}, False),
    ],
)
def test_the_demo_expects_that_only_the_damaged_file_fails(changed, expected):
    sent = dict(zip(FILES, "1234", strict=True))
    endings = {"1": "completed", "2": "completed", "3": "completed", "4": "failed", **changed}
    assert as_expected(FILES, sent, endings) is expected


def test_a_refused_sample_is_not_as_expected():
    sent = {FILES[0]: None, **dict(zip(FILES[1:], "234", strict=True))}
    assert not as_expected(FILES, sent, {"2": "completed", "3": "completed", "4": "failed"})


@pytest.fixture
def _small_samples(monkeypatch, tmp_path):
    def make(folder: Path) -> list[Path]:
        folder.mkdir(parents=True)
        for file in FILES:
            (folder / file).write_text(file.name)
        return [folder / file for file in FILES]

    monkeypatch.setattr(samples, "make", make)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_small_samples")
def test_the_demo_uses_the_running_system_and_prints_what_was_found(gateway: FakeGateway):
    error = {"code": "corrupt_pdf", "message": "The PDF is damaged.", "action": "Export it anew."}
    ends = {"d1": "completed", "d2": "completed", "d3": "completed", "d4": "failed"}
    gateway.http["POST /v1/documents"] = [(202, {"document_id": document_id}) for document_id in ends]
    gateway.sockets = [(4, [told("snapshot", 1, how, one, error=error) for one, how in ends.items()])]
    for one, how in ends.items():
        gateway.http[f"GET /v1/documents/{one}"] = [(200, view(one, how, error=error))]
        body = an_extraction("Invoice", [a_finding("iban", "DE60 5009", "DE605009", page=2)])
        gateway.http[f"GET /v1/documents/{one}/extraction"] = [(200, body)]
    # The uploads run side by side: which file became which document is not fixed, so the exit code is not looked at.
    result = CliRunner().invoke(app, ["demo", "--url", gateway.url])
    found = result.stdout.split("failed 40 %")[-1]
    assert "iban                DE605009  (page 2)" in result.stdout
    assert "The PDF is damaged. Export it anew." in found
    assert result.stdout.rstrip().endswith(f"The page is at {gateway.url}/")
    assert all("idempotency-key" in headers for what, headers, _ in gateway.requests if what.startswith("POST"))


def test_a_service_can_be_left_out_to_be_run_in_a_debugger():
    running = Running(pid=1, started_at=datetime.now(UTC), kafka="", mongo="", gateway="http://127.0.0.1:8000")

    assert [program.name for program in service_programs(running, {"progress", "ocr"})] == [
        "chunker", "extractor", "gateway",
    ]  # fmt: skip


def test_a_service_that_there_is_not_cannot_be_left_out():
    result = CliRunner().invoke(app, ["up", "--without", "porgress"])

    assert result.exit_code == 2
    assert "porgress: the services are chunker, extractor, gateway, ocr, progress." in " ".join(
        result.output.replace("│", " ").split()
    )
