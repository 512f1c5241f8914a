"""What a stage brings: three plain functions, each run in a child process that can be killed whole.

    plan(task)                    -> Plan      what there is to do, in slices of bounded cost
    work(task, piece)             -> result    one slice
    conclude(task, plan, results) -> result    the whole; `results[i]` is None where slice i failed

A result is a JSON object (str, int, float, bool, None, list, dict with str keys). The functions may block, may use
all of one core, and raise `Rejected` (the input is bad) or `Transient` (the outside world is); anything else is a bug.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

Result = dict[str, Any]


class Frozen(BaseModel):
    """A frozen model that ignores fields it does not know, so that older code reads newer data."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Slice(Frozen):
    """One piece of a stage's work.

    `weight` is its expected cost in seconds on one core (percent and fairness count in it), `pages` the first and last
    page it covers (1-based, inclusive) where it is about pages, `args` whatever `work` needs to find its piece.
    """

    weight: float = Field(default=1.0, gt=0)
    pages: tuple[int, int] | None = None
    args: dict[str, Any] = Field(default_factory=dict)


class Plan(Frozen):
    """What a stage will do. `engine` names everything that shapes the result: program, version, settings.

    Input and engine together give the plan its id: the same input with the same engine is never computed twice.
    `page_count` is set by the stage that knows it.
    """

    engine: str
    slices: tuple[Slice, ...] = Field(min_length=1)
    page_count: int | None = None


class Document(Frozen):
    """What is known of the uploaded document."""

    document_id: str
    tenant: str
    filename: str
    content_type: str | None  # as declared by the uploader: a hint, never to be trusted
    size: int  # bytes
    languages: tuple[str, ...] = ()  # as asked for at upload; empty = the setting
    batch: str | None = None  # the name of the group it belongs to
    tags: tuple[str, ...] = ()


Tick = Callable[..., None]


def no_tick(code: str, fraction: float = 0.0, /, **params: Any) -> None:
    """A tick that goes nowhere, for tests and benchmarks."""


@dataclass(frozen=True)
class Task:
    """What the three functions are given."""

    document: Document
    source: Path  # the uploaded bytes, read-only
    workdir: Path  # an empty private folder, removed afterwards
    # what the earlier stages concluded, by stage name ("ocr", "chunk", …); loaded when first looked at
    earlier: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # tick(code, fraction, **params): a sign of life; `fraction` (0..1) of this slice is done. Cheap: it is throttled.
    tick: Tick = no_tick
    # `with task.waiting(): …` around what waits for the network: somebody else computes on our core meanwhile
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    # a folder that all children of this machine share; what lies in it may be gone at any time
    machine: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))


class Stage(Protocol):
    """A module with the three functions, as the harness sees it (`services/<stage>/handlers.py`)."""

    def plan(self, task: Task) -> Plan: ...

    def work(self, task: Task, piece: Slice) -> Result: ...

    def conclude(self, task: Task, plan: Plan, results: Sequence[Result | None]) -> Result: ...
