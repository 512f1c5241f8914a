"""Child processes of a worker: what comes back, how they fail, and that nothing is left of them."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from shared.errors import Rejected, Transient
from shared.harness.contract import Document, Plan, Slice
from shared.harness.sandbox import temp_folders
from shared.harness.sandbox.pool import Child, ChildFailed, Crashed, Pool
from shared.storage.blobs import seal, unseal
from tests.support import processes
from tests.support.infrastructure import REPOSITORY
from tests.support.wait import until

STAGES: Final = Path(__file__).parent / "stages"
DOCUMENT: Final = Document(document_id="d", tenant="t", filename="a.pdf", content_type=None, size=1).model_dump()


@pytest.fixture(autouse=True)
def paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Children find the stages of the tests, and put their private folders where we see them."""
    monkeypatch.setenv("PYTHONPATH", f"{STAGES}:{REPOSITORY}")
    (tmp_path / "private").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool("restless", 2, idle_seconds=60)
    yield pool
    await pool.close()


@pytest.fixture
async def child(pool: Pool) -> AsyncIterator[Child]:
    child = await pool.take()
    yield child
    await pool.give_back(child)


async def run(
    child: Child, request: Mapping[str, Any], *, deadline: float = 30, ticks: list[Mapping[str, Any]] | None = None
) -> Any:
    on_tick = (lambda tick: None) if ticks is None else ticks.append
    return unseal(await child.run(request, deadline=deadline, memory_mb=1024, on_tick=on_tick))


def asking(tmp_path: Path, do: str, **args: Any) -> dict[str, Any]:
    """The request for a slice that does `do`."""
    source = tmp_path / "source"
    source.write_text("v1")
    slice_ = Slice(args={"do": do, **args}).model_dump(mode="json")
    cores = {"folder": str(tmp_path / "cores"), "count": 1}
    work = {"function": "work", "document": DOCUMENT, "source": str(source), "earlier": {}, "slice": slice_}
    return {**work, "cores": cores, "needs_core": False}


def private_folders(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "private").iterdir())


async def test_work_comes_back_sealed_from_a_nice_process_in_its_own_session(child: Child, tmp_path: Path) -> None:
    answer = await run(child, asking(tmp_path, "answer"))
    assert answer["nice"] >= 10
    assert answer["session"] == answer["pid"] != os.getpid()
    assert answer["threads"] == "1"
    assert (await run(child, asking(tmp_path, "answer")))["pid"] == answer["pid"]  # it is used again
    assert private_folders(tmp_path) == []


@pytest.fixture
def port() -> Iterator[int]:
    """One at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


async def test_neither_a_child_nor_what_it_starts_reaches_the_network(child: Child, port: int, tmp_path: Path) -> None:
    if refused := kept_network():
        pytest.skip(f"the kernel of this machine takes the network from nobody: {refused}")
    answer = await run(child, asking(tmp_path, "connect", port=port))
    assert answer == {"here": "Network is unreachable", "program": False}


async def test_the_children_of_a_stage_that_asks_outside_services_keep_the_network(port: int, tmp_path: Path) -> None:
    pool = Pool("restless", 1, idle_seconds=60, online=True)
    child = await pool.take()
    try:
        assert await run(child, asking(tmp_path, "connect", port=port)) == {"here": "connected", "program": True}
    finally:
        await pool.give_back(child)
        await pool.close()


async def test_where_the_kernel_refuses_work_goes_on_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, child: Child, port: int, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from shared.harness.sandbox import network\nnetwork.leave = lambda: 'Operation not permitted'\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{STAGES}:{REPOSITORY}")
    with capture_logs() as said:
        answer = await run(child, asking(tmp_path, "connect", port=port))
    assert answer["here"] == "connected"
    assert [(line["log_level"], line["reason"]) for line in said] == [("warning", "Operation not permitted")]
    assert child.kept_network == "Operation not permitted"


def kept_network() -> str:
    """Why a process of ours cannot leave the network; "" if it can."""
    ask = "from shared.harness.sandbox import network; print(network.leave() or '', end='')"
    return subprocess.check_output([sys.executable, "-c", ask], cwd=REPOSITORY, text=True)


async def test_plan_and_conclude_are_given_what_they_need(child: Child, tmp_path: Path) -> None:
    request = {**asking(tmp_path, "answer"), "function": "plan"}
    plan = Plan.model_validate(await run(child, request))
    assert plan == Plan(engine="restless/v1", slices=(Slice(weight=2), Slice(pages=(1, 3))))
    (tmp_path / "plan").write_bytes(seal(plan.model_dump(mode="json")))
    (tmp_path / "piece").write_bytes(seal({"n": 0}))
    (tmp_path / "ocr").write_bytes(seal({"text": "read before"}))
    request |= {"function": "conclude", "plan": str(tmp_path / "plan"), "results": [str(tmp_path / "piece"), None]}
    answer = await run(child, request | {"earlier": {"ocr": str(tmp_path / "ocr")}})
    assert answer == {"engine": "restless/v1", "results": [{"n": 0}, None], "ocr": "read before"}


async def test_a_rejection_keeps_its_code_and_facts(child: Child, tmp_path: Path) -> None:
    with pytest.raises(Rejected) as caught:
        await run(child, asking(tmp_path, "reject"))
    assert caught.value.code == "too_large"
    assert caught.value.facts == {"what": "The page", "got": 3, "limit": 2, "page": 7}


async def test_a_transient_failure_says_when_to_come_back(child: Child, tmp_path: Path) -> None:
    with pytest.raises(Transient) as caught:
        await run(child, asking(tmp_path, "fail_for_now"))
    assert (caught.value.code, caught.value.retry_after) == ("provider_unavailable", 30.0)


async def test_a_bug_comes_with_its_traceback_and_the_process_goes_on(child: Child, tmp_path: Path) -> None:
    before = await run(child, asking(tmp_path, "answer"))
    with pytest.raises(ChildFailed, match=r"ZeroDivisionError at restless\.py:\d+ do_bug"):
        await run(child, asking(tmp_path, "bug"))
    assert (await run(child, asking(tmp_path, "answer")))["pid"] == before["pid"]


async def test_a_crash_names_the_signal_and_the_next_slice_gets_a_new_process(child: Child, tmp_path: Path) -> None:
    before = await run(child, asking(tmp_path, "answer"))
    with pytest.raises(Crashed) as caught:
        await run(child, asking(tmp_path, "crash"))
    assert (caught.value.code, caught.value.facts) == ("crashed", {"detail": "SIGSEGV"})
    assert (await run(child, asking(tmp_path, "answer")))["pid"] != before["pid"]
    assert private_folders(tmp_path) == []


async def test_a_stage_that_exits_is_a_failure_like_any_other(child: Child, tmp_path: Path) -> None:
    with pytest.raises((ChildFailed, Crashed)):
        await run(child, asking(tmp_path, "exit"))
    assert await run(child, asking(tmp_path, "answer"))


async def test_the_deadline_ends_the_whole_group(child: Child, tmp_path: Path) -> None:
    await run(child, asking(tmp_path, "answer"))
    with pytest.raises(Crashed) as caught:
        await run(child, asking(tmp_path, "spin", pids=str(tmp_path / "pids")), deadline=2)
    assert caught.value.code == "timeout"
    assert caught.value.facts["limit"] == 2
    pids = list(map(int, (tmp_path / "pids").read_text().split()))
    await until(lambda: not any(map(processes.is_alive, pids)), within=5)
    assert private_folders(tmp_path) == []
    assert await run(child, asking(tmp_path, "answer"))


async def test_whoever_eats_memory_is_told_the_limit(child: Child, tmp_path: Path) -> None:
    with pytest.raises(Crashed) as caught:
        await run(child, asking(tmp_path, "eat"))
    assert caught.value.code == "out_of_memory"
    assert caught.value.facts["limit"] == "1024 MiB"
    assert await run(child, asking(tmp_path, "answer"))


async def test_a_result_beyond_the_limit_is_left_unread_and_its_process_ends(
    child: Child, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = Child.kill

    async def kill_late(child: Child) -> None:
        await asyncio.sleep(0.3)  # until the pipe is full and paused
        await kill(child)

    monkeypatch.setattr(Child, "kill", kill_late)
    request = asking(tmp_path, "answer_much")
    with pytest.raises(Rejected) as rejected:
        async with asyncio.timeout(20):
            await child.run(request, deadline=30, memory_mb=1024, on_tick=lambda tick: None, result_mb=1)
    assert rejected.value.code == "too_large"
    assert await run(child, asking(tmp_path, "answer"))


async def test_what_a_stage_prints_does_not_break_the_protocol(child: Child, tmp_path: Path) -> None:
    assert await run(child, asking(tmp_path, "chatter")) == {"said": True}
    assert await run(child, asking(tmp_path, "answer"))


async def test_a_hundred_thousand_ticks_are_few_on_the_wire(child: Child, tmp_path: Path) -> None:
    ticks: list[Mapping[str, Any]] = []
    began = time.monotonic()
    await run(child, asking(tmp_path, "tick"), ticks=ticks)
    assert 1 <= len(ticks) <= 2 + (time.monotonic() - began) * 10
    assert ticks[0] == {"code": "pages", "fraction": 0.0, "params": {"page": 0}}


async def test_each_slice_has_an_empty_private_folder_for_everything(child: Child, tmp_path: Path) -> None:
    first, second = [await run(child, asking(tmp_path, "scratch")) for _ in range(2)]
    assert first["workdir"] != second["workdir"]
    for answer in (first, second):
        assert answer["inside"] == [answer["workdir"]]
        assert len(answer["seen"]) == 3
    assert private_folders(tmp_path) == []


async def test_cancelling_kills_the_whole_group_within_a_second(child: Child, tmp_path: Path) -> None:
    work = asyncio.create_task(run(child, asking(tmp_path, "spin", pids=str(tmp_path / "pids"))))
    pids = await until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().split())
    began = time.monotonic()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await until(lambda: not any(processes.is_alive(int(pid)) for pid in pids), within=5)
    assert time.monotonic() - began < 1
    assert private_folders(tmp_path) == []


async def test_a_new_life_removes_the_folders_of_dead_workers_and_no_others(tmp_path: Path) -> None:
    private = tmp_path / "private"
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", MAKES_A_FOLDER, env=environment(private))
    await dead.wait()
    alive = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MAKES_A_FOLDER + "input()", env=environment(private), stdin=-1
    )
    await until(lambda: len(list(private.iterdir())) == 2)
    (private / "pagestream-of-somebody").mkdir()
    temp_folders.sweep()
    left = sorted(folder.name for folder in private.iterdir())
    assert [name.rpartition("-")[0] for name in left] == [f"pagestream-{alive.pid}", "pagestream-of"]
    await alive.communicate(b"\n")


MAKES_A_FOLDER: Final = "from shared.harness.sandbox import temp_folders as t; (t.make() / 'page').write_text('x');"


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


async def test_a_child_that_rests_gives_its_memory_back(tmp_path: Path) -> None:
    pool = Pool("restless", 1, idle_seconds=0.2)
    child = await pool.take()
    pid = (await run(child, asking(tmp_path, "answer")))["pid"]
    await pool.give_back(child)
    await until(lambda: not processes.is_alive(pid), within=10)
    assert await pool.take() is child
    assert (await run(child, asking(tmp_path, "answer")))["pid"] != pid
    await pool.give_back(child)
    await pool.close()


async def test_whoever_waits_for_a_child_gets_the_next_that_is_free(pool: Pool) -> None:
    taken = [await pool.take(), await pool.take()]
    assert taken[0] is not taken[1]
    waiting = asyncio.create_task(pool.take())
    await asyncio.wait([waiting], timeout=0)
    assert not waiting.done()
    await pool.give_back(taken[0])
    assert await waiting is taken[0]
    for child in taken:
        await pool.give_back(child)


WORKER: Final = """
import asyncio, sys
from shared.harness.sandbox.pool import Pool

async def main():
    child = await Pool("restless", 1, 60).take()
    await child.run(eval(sys.argv[1]), deadline=60, memory_mb=1024, on_tick=lambda tick: None)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["spin", "call_c"])
async def test_a_worker_that_is_killed_leaves_no_child_and_no_grandchild(
    tmp_path: Path, number: int, busy: str
) -> None:
    request = asking(tmp_path, busy, pids=str(tmp_path / "pids"))
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, repr(request))
    pids = await until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().split())
    assert all(processes.is_alive(int(pid)) for pid in pids)
    worker.send_signal(number)
    assert await worker.wait() == -number
    await until(lambda: not any(processes.is_alive(int(pid)) for pid in pids), within=2)


def test_the_stage_has_nothing_that_no_test_asks_for() -> None:
    tests = Path(__file__).parent.glob("test_*.py")
    named = {name for test in tests for name in re.findall(r'"(\w+)"', test.read_text())}
    assert set(re.findall(r"def do_(\w+)", (STAGES / "restless.py").read_text())) <= named
