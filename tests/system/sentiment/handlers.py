"""The sentiment stage: counts glad and sad words, one slice for each page."""

from collections.abc import Sequence
from typing import Any

from shared.harness.contract import Plan, Result, Slice, Task

GLAD = {"arrived", "well"}
SAD = {"lost", "sunk"}


def plan(task: Task) -> Plan:
    pages = task.earlier["ocr"]["pages"]
    return Plan(engine="sentiment/1", slices=tuple(_slice(number, page) for number, page in enumerate(pages, start=1)))


def _slice(number: int, page: Any) -> Slice:
    return Slice(weight=0.01, pages=(number, number), args={"start": page["start"], "end": page["end"]})


def work(task: Task, slice_: Slice) -> Result:
    words = task.earlier["ocr"]["text"][slice_.args["start"] : slice_.args["end"]].lower().split()
    return {"balance": sum(word in GLAD for word in words) - sum(word in SAD for word in words)}


def conclude(task: Task, plan: Plan, results: Sequence[Result | None]) -> Result:
    return {"balance": sum(result["balance"] for result in results if result)}
