"""What a stage brings: three plain functions, each run in a child process that can be killed whole.

    plan(task)                    -> Plan      what there is to do, in slices of bounded cost
    work(task, slice)             -> result    one slice
    conclude(task, plan, results) -> result    the whole; `results[i]` is None where slice i failed

A result is a JSON object (str, int, float, bool, None, list, dict with str keys). The functions may block, may use
all of one core, and raise `Rejected` (the input is bad) or `Transient` (the outside world is); anything else is a bug.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Rejected

Result = dict[str, Any]

MAX_SLICES: Final = 20_000  # of one plan: each is a lease, a blob and a fact
MAX_PAGES: Final = 100_000  # that a plan may speak of
MAX_WEIGHT: Final = 86_400.0  # seconds of one slice
MAX_ENGINE: Final = 1_000  # characters


class Frozen(BaseModel):
    """A frozen model that ignores fields it does not know, so that older code reads newer data."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Slice(Frozen):
    """One slice of a stage's work.

    `weight` is its expected cost in seconds on one core (percent and fairness count in it), `pages` the first and last
    page it covers (1-based, inclusive) where it is about pages, `args` whatever `work` needs to find its slice.
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

    @property
    def weight(self) -> float:
        """The expected cost of all slices in seconds on one core."""
        return sum(slice_.weight for slice_ in self.slices)

    def check(self, stage: str) -> None:
        """Refuse a plan that could not be carried out. Raises Rejected("plan_too_large") or ValueError."""
        if len(self.slices) > MAX_SLICES:
            raise Rejected("plan_too_large", stage=stage, what="pieces", got=len(self.slices), limit=MAX_SLICES)
        last = max((slice_.pages[1] for slice_ in self.slices if slice_.pages), default=0)
        if (pages := max(last, self.page_count or 0)) > MAX_PAGES:
            raise Rejected("plan_too_large", stage=stage, what="pages", got=min(pages, 2**53), limit=MAX_PAGES)
        for slice_ in self.slices:
            first, last = slice_.pages or (1, 1)
            if not 1 <= first <= last or slice_.weight > MAX_WEIGHT:
                raise ValueError(f"no such piece: pages {slice_.pages}, {slice_.weight} seconds")
        if (self.page_count or 0) < 0 or len(self.engine) > MAX_ENGINE:
            raise ValueError("no such plan")


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
    # `with task.waiting(): …` around calls to the network: another child uses the core meanwhile
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    # a folder that all children of this machine share; what lies in it may be gone at any time
    machine: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))


class Stage(Protocol):
    """A module with the three functions, as the harness sees it (`services/<stage>/handlers.py`)."""

    def plan(self, task: Task) -> Plan: ...

    def work(self, task: Task, slice_: Slice) -> Result: ...

    def conclude(self, task: Task, plan: Plan, results: Sequence[Result | None]) -> Result: ...
