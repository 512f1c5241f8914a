"""A stage for tests whose slices begin, go on and end when told, by files in the folder that `args` name."""

import time
from collections.abc import Sequence
from pathlib import Path

from shared.harness.contract import Plan, Result, Slice, Task


def plan(task: Task) -> Plan:
    return Plan(engine="patient", slices=(Slice(),))


def work(task: Task, slice_: Slice) -> Result:
    """Compute, wait for an answer from outside if asked to, compute, end."""
    folder = Path(slice_.args["folder"])
    folder.mkdir(exist_ok=True)
    (folder / "begun").touch()
    if slice_.args["asks"]:
        with task.waiting():
            (folder / "asked").touch()
            _until_exists(folder / "answered")
        (folder / "answer taken").touch()
    _until_exists(folder / "end")
    return {}


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    return {}


def _until_exists(path: Path) -> None:
    while not path.exists():
        time.sleep(0.005)
