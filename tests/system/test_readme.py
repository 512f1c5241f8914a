"""What the README tells a reader to type, typed into a shell against the real system."""

import asyncio
import os
import re
import shutil
import sys
import uuid
from pathlib import Path
from typing import Final

import orjson
import pytest

from shared.kafka import topics
from shared.storage.api_keys import Keys
from tests.support import pdfs
from tests.support.gateway import environment_of, hand_of, serving
from tests.support.infrastructure import PARTITIONS, REPOSITORY, Infrastructure
from tests.support.running_system import RunningSystem
from tests.support.wait import until

BLOCKS: Final = re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
ADDRESS: Final = "http://127.0.0.1:8000"

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="no curl on PATH; on Debian: apt install curl")


def block(holding: str) -> list[str]:
    """The commands of the README's one block that holds `holding`."""
    (found,) = [block for block in BLOCKS if holding in block]
    lines: list[str] = found.replace("\\\n", "").splitlines()
    return lines


async def typed(folder: Path, *commands: str) -> str:
    """What the commands print, typed into one shell in `folder`; all must succeed."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-ec", "\n".join(commands), cwd=folder, env={**os.environ, "no_proxy": "*"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return out.decode()


async def test_the_documents_examples(system: RunningSystem, tmp_path: Path) -> None:
    assert (await system.call("GET", "/healthz")).status_code == 200  # it is there
    upload, show, follow, search = (command.replace(ADDRESS, system.url) for command in block("letter.pdf"))
    (tmp_path / "letter.pdf").write_bytes(pdfs.born_digital(1))
    document_id = orjson.loads(await typed(tmp_path, upload))["document_id"]
    await system.until(document_id)
    named = f"ID={document_id}"
    assert orjson.loads(await typed(tmp_path, named, show))["status"] == "completed"
    assert document_id in await typed(tmp_path, named, f"timeout 5 {follow} | head -n 5 || true")
    assert "results" in orjson.loads(await typed(tmp_path, search))


@pytest.mark.skipif(not shutil.which("websocat"), reason="no websocat on PATH; with Rust: cargo install websocat")
async def test_the_websocket_examples(system: RunningSystem, tmp_path: Path) -> None:
    document_id = await system.upload(pdfs.born_digital(1), "socket.pdf")
    await system.until(document_id)
    sockets = (
        command.replace(ADDRESS.replace("http", "ws"), system.url.replace("http", "ws", 1))
        for command in block("websocat")
    )
    for command, key in zip(sockets, ("document", "documents"), strict=True):
        said = await typed(
            tmp_path, f"ID={document_id}", command.replace("websocat", "timeout 5 websocat") + " || true"
        )
        frame = orjson.loads(said.splitlines()[0])
        assert frame["op"] == "snapshot"
        assert document_id in orjson.dumps(frame[key]).decode()


async def test_the_tokens_example(infrastructure: Infrastructure, tmp_path: Path) -> None:
    await topics.provision(infrastructure.kafka, partitions=PARTITIONS)
    environment = environment_of(infrastructure, tmp_path)
    async with hand_of(environment) as hand:
        key = (await Keys(hand.mongo).add("acme", "README")).secret
        document_id = str(uuid.uuid4())
        await hand.put(document_id, 1, tenant="acme")
        async with serving(environment, tmp_path / "gateway.log") as gateway:
            command = "\n".join(block("/v1/tokens")).replace(ADDRESS, gateway.url)
            named = (f"ID={document_id}", f"KEY={key}")
            token = orjson.loads(await typed(tmp_path, *named, command))["token"]
            asked = f"curl -s {gateway.url}/v1/documents/{document_id}"
            for sent in (f"{asked} -H 'Authorization: Bearer {token}'", f"{asked}?token={token}"):
                assert orjson.loads(await typed(tmp_path, sent))["document_id"] == document_id
            assert orjson.loads(await typed(tmp_path, asked))["code"] == "sign_in"


async def test_the_jobs_examples(system: RunningSystem, tmp_path: Path) -> None:
    assert (await system.call("GET", "/healthz")).status_code == 200  # it is there
    start, *report = (command.replace(ADDRESS, system.url) for command in block("Nightly import"))
    job_id = (await typed(tmp_path, start, *(f"{command} >&2" for command in report), "echo $JOB")).strip()

    async def completed() -> bool:
        view = (await system.call("GET", f"/v1/jobs/{job_id}")).json()
        return (view["status"], view["percent"]) == ("completed", 100.0)

    await until(completed, what="the job is done")


async def test_the_program_in_python(system: RunningSystem, tmp_path: Path) -> None:
    assert (await system.call("GET", "/healthz")).status_code == 200  # it is there
    (tmp_path / "follow.py").write_text(PROGRAM.replace(ADDRESS, system.url))
    for name in ("one.pdf", "two.pdf"):
        (tmp_path / name).write_bytes(pdfs.born_digital(1, title=name))
    lines = (await typed(tmp_path, f"{sys.executable} follow.py one.pdf two.pdf")).splitlines()
    assert {"one.pdf completed 100.0", "two.pdf completed 100.0"} <= set(lines)
