"""What the README tells a reader to type, typed into a shell against the real system."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

import orjson
import papers
import pytest
from infrastructure import REPOSITORY
from running_system import RunningSystem

BLOCKS: Final = re.findall(r"^```sh\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```", (REPOSITORY / "README.md").read_text(), re.DOTALL | re.MULTILINE)
ADDRESS: Final = "http://127.0.0.1:8000"

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="no curl on PATH; on Debian: apt install curl")


def block(holding: str) -> list[str]:
    """The commands of the README's one block that holds `holding`."""
    (found,) = [block for block in BLOCKS if holding in block]
    return found.replace("\\\n", "").splitlines()


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
    (tmp_path / "letter.pdf").write_bytes(papers.born_digital(1))
    document_id = orjson.loads(await typed(tmp_path, upload))["document_id"]
    await system.until(document_id)
    named = f"ID={document_id}"
    assert orjson.loads(await typed(tmp_path, named, show))["status"] == "completed"
    assert document_id in await typed(tmp_path, named, f"timeout 5 {follow} | head -n 5 || true")
    assert "results" in orjson.loads(await typed(tmp_path, search))


async def test_the_jobs_examples(system: RunningSystem, tmp_path: Path) -> None:
    assert (await system.call("GET", "/healthz")).status_code == 200  # it is there
    start, *report = (command.replace(ADDRESS, system.url) for command in block("Nightly import"))
    job_id = (await typed(tmp_path, start, *(f"{command} >&2" for command in report), "echo $JOB")).strip()
    view = (await system.call("GET", f"/v1/jobs/{job_id}?wait=10")).json()
    assert (view["status"], view["percent"]) == ("completed", 100.0)


async def test_the_program_in_python(system: RunningSystem, tmp_path: Path) -> None:
    assert (await system.call("GET", "/healthz")).status_code == 200  # it is there
    (tmp_path / "follow.py").write_text(PROGRAM.replace(ADDRESS, system.url))
    for name in ("one.pdf", "two.pdf"):
        (tmp_path / name).write_bytes(papers.born_digital(1, title=name))
    lines = (await typed(tmp_path, f"{sys.executable} follow.py one.pdf two.pdf")).splitlines()
    assert {"one.pdf completed 100.0", "two.pdf completed 100.0"} <= set(lines)
