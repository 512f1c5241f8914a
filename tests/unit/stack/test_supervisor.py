"""Real small processes: started again when they die, gone with all their children when they are to go."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from shared.errors import Transient
from stack import process
from stack.backoff import Backoff
from stack.events import Died, Event, Ready, Starting, Stopped, Stopping
from stack.process import Program
from stack.supervisor import Supervisor

QUICK = Backoff(first=0.05, cap=0.2, healthy_after=30)
E = TypeVar("E", bound=Event)


class Told:
    """What the supervisor told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E], name: str) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and event.name == name]


async def until(holds: Callable[[], bool], within: float = 20) -> None:
    async with asyncio.timeout(within):
        while not holds():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def python(name: str, code: str, **more: object) -> Program:
    return Program(name, (sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def says_pid(path: Path) -> str:
    """Code that tells its pid in `path`, whole or not at all."""
    return (
        "import os, pathlib, signal, subprocess, sys, time\n"
        f"p = pathlib.Path({str(path)!r}); p.with_suffix('.new').write_text(str(os.getpid()))\n"
        "p.with_suffix('.new').replace(p)\n"
    )


@asynccontextmanager
async def supervised(tmp_path: Path, *programs: Program, grace: float = 10) -> AsyncIterator[tuple[Supervisor, Told]]:
    told = Told()
    supervisor = Supervisor(tmp_path / "logs", told, QUICK, grace)
    for program in programs:
        supervisor.start(program)
    try:
        yield supervisor, told
    finally:
        await supervisor.stop()


async def test_what_is_killed_is_started_again_with_another_pid(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    async with supervised(tmp_path, python("p", says_pid(pid_file) + "time.sleep(60)")) as (_, told):
        await until(pid_file.exists)
        first = int(pid_file.read_text())
        pid_file.unlink()
        os.kill(first, signal.SIGKILL)
        await until(pid_file.exists)
        assert int(pid_file.read_text()) != first
        assert [(d.code, d.restart_in) for d in told.of(Died, "p")] == [(-9, 0.05)]


async def test_what_ends_at_once_again_and_again_waits_longer_and_shows_its_last_words(tmp_path: Path) -> None:
    async with supervised(tmp_path, python("p", "print('no such database'); raise SystemExit(3)")) as (_, told):
        await until(lambda: len(told.of(Died, "p")) == 4)
        deaths = told.of(Died, "p")[:4]
    assert [died.restart_in for died in deaths] == [0.05, 0.1, 0.2, 0.2]
    assert {died.code for died in deaths} == {3}
    assert [died.tail for died in deaths] == [("no such database",)] * 4  # of this life, not of all before


async def test_one_that_keeps_dying_does_not_disturb_the_other(tmp_path: Path) -> None:
    steady = python("steady", "import time; time.sleep(60)")
    async with supervised(tmp_path, python("dying", "raise SystemExit(1)"), steady) as (_, told):
        await until(lambda: len(told.of(Died, "dying")) >= 3)
        assert len(told.of(Starting, "steady")) == 1
        assert told.of(Died, "steady") == []


async def test_a_program_that_is_not_there_is_told_as_a_death(tmp_path: Path) -> None:
    async with supervised(tmp_path, Program("p", ("/no/such/program",))) as (supervisor, _):
        with pytest.raises(Transient, match="/no/such/program"):
            await supervisor.ready("p", within=5)


async def test_ready_waits_for_the_probe(tmp_path: Path) -> None:
    answers = asyncio.Event()

    async def probe() -> None:
        await answers.wait()

    async with supervised(tmp_path, python("p", "import time; time.sleep(60)", ready=probe)) as (supervisor, told):
        await until(lambda: bool(told.of(Starting, "p")))
        with pytest.raises(Transient) as late:
            await supervisor.ready("p", within=0.05)
        assert late.value.code == "did_not_start"
        assert told.of(Ready, "p") == []
        answers.set()
        await supervisor.ready("p", within=5)
        assert len(told.of(Ready, "p")) == 1


async def test_who_waits_for_readiness_is_told_of_the_death_with_the_last_words(tmp_path: Path) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async with supervised(tmp_path, python("p", "print('port in use'); raise SystemExit(1)", ready=never)) as (s, _):
        with pytest.raises(Transient, match="port in use"):
            await s.ready("p", within=10)


async def test_a_probe_that_raises_reaches_who_waits_for_readiness(tmp_path: Path) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    async with supervised(tmp_path, python("p", "import time; time.sleep(60)", ready=broken)) as (supervisor, _):
        with pytest.raises(ZeroDivisionError):
            await supervisor.ready("p", within=10)


async def test_stopping_asks_in_reverse_order_and_lets_them_finish(tmp_path: Path) -> None:
    polite = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('goodbye', flush=True), sys.exit(0)))\n"
        "print('here', flush=True); time.sleep(60)"
    )
    logs = [tmp_path / "logs" / f"{name}.log" for name in ("first", "second")]
    async with supervised(tmp_path, python("first", polite), python("second", polite)) as (_, told):
        await until(lambda: all(log.exists() and "here" in log.read_text() for log in logs))
    assert [event.name for event in told.events if isinstance(event, Stopping)] == ["second", "first"]
    assert all("goodbye" in log.read_text() for log in logs)
    assert [event.killed for event in told.events if isinstance(event, Stopped)] == [False, False]
    assert not any(isinstance(event, Died) for event in told.events)


async def test_what_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + says_pid(pid_file) + "time.sleep(60)"
    async with supervised(tmp_path, python("p", deaf), grace=0.2) as (_, told):
        await until(pid_file.exists)
    assert not alive(int(pid_file.read_text()))
    assert told.of(Stopped, "p")[0].killed


async def test_stopping_takes_the_grandchildren_too(tmp_path: Path) -> None:
    mine, its = tmp_path / "child", tmp_path / "grandchild"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + says_pid(its) + "time.sleep(60)"
    parent = says_pid(mine) + f"subprocess.Popen([sys.executable, '-c', {deaf!r}])\ntime.sleep(60)"
    async with supervised(tmp_path, python("p", parent)):
        await until(its.exists)
        assert alive(int(its.read_text()))
    await until(lambda: not alive(int(its.read_text())))
    assert not alive(int(mine.read_text()))


async def test_a_program_that_dies_takes_its_children_along_before_it_comes_back(tmp_path: Path) -> None:
    its = tmp_path / "grandchild"
    parent = says_pid(tmp_path / "child") + (
        f"subprocess.Popen([sys.executable, '-c', {says_pid(its) + 'time.sleep(60)'!r}])\n"
        f"while not pathlib.Path({str(its)!r}).exists(): time.sleep(0.01)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    async with supervised(tmp_path, python("p", parent)) as (_, told):
        await until(its.exists)
        orphan = int(its.read_text())
        await until(lambda: bool(told.of(Died, "p")))
        await until(lambda: not alive(orphan))


async def test_what_lives_and_does_not_answer_is_killed_and_started_again(tmp_path: Path) -> None:
    told, silent_pid = Told(), tmp_path / "silent"

    async def answers() -> bool:
        pids = tmp_path / "pid"
        if not silent_pid.exists():
            silent_pid.write_text(pids.read_text())
        return pids.read_text() != silent_pid.read_text()

    async def ready() -> None:
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.01)

    program = python("p", says_pid(tmp_path / "pid") + "time.sleep(60)", ready=ready, alive=answers)
    supervisor = Supervisor(tmp_path / "logs", told, QUICK, probe_every=0.05)
    supervisor.start(program)
    await until(lambda: len(told.of(Died, "p")) == 1)
    await until(lambda: (tmp_path / "pid").read_text() != silent_pid.read_text())
    await asyncio.sleep(0.5)  # ten looks at one that answers
    assert len(told.of(Died, "p")) == 1
    assert told.of(Died, "p")[0].code == -signal.SIGKILL
    assert not alive(int(silent_pid.read_text()))
    await supervisor.stop()


async def test_stopping_does_not_wait_for_the_next_restart(tmp_path: Path) -> None:
    told = Told()
    supervisor = Supervisor(tmp_path / "logs", told, Backoff(first=600, cap=600))
    supervisor.start(python("p", "raise SystemExit(1)"))
    await until(lambda: bool(told.of(Died, "p")))
    async with asyncio.timeout(5):
        await supervisor.stop()


async def test_when_the_supervisor_is_killed_its_children_are_gone(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + says_pid(pid_file) + "time.sleep(60)"
    code = f"""
import asyncio, pathlib, sys
from stack.process import Program
from stack.supervisor import Supervisor
async def main():
    Supervisor(pathlib.Path({str(tmp_path)!r}), lambda _: None).start(Program("p", (sys.executable, "-c", {deaf!r})))
    await asyncio.Event().wait()
asyncio.run(main())
"""
    supervisor = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await until(pid_file.exists)
    child = int(pid_file.read_text())
    assert alive(child)
    supervisor.kill()
    await supervisor.wait()
    await until(lambda: not alive(child))


async def test_the_program_gets_its_own_environment_and_its_log_has_both_outputs(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['GIVEN']); print('err', file=sys.stderr); raise SystemExit(1)"
    async with supervised(tmp_path, python("p", code, env={"GIVEN": "so"})) as (_, told):
        await until(lambda: bool(told.of(Died, "p")))
        assert set(told.of(Died, "p")[0].tail) == {"so", "err"}


async def test_a_log_that_grew_too_long_is_set_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT", 10)
    log = tmp_path / "p.log"
    log.write_text("a long line of an earlier life")
    assert process.Log(tmp_path, "p").path == log
    assert not log.exists()
    assert (tmp_path / "p.log.1").read_text() == "a long line of an earlier life"
