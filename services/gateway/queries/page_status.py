"""Pages and the slices they are read in: which slice holds a page, and how far each page is."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.harness.contract import MAX_PAGES, Plan

Status = Literal["pending", "running", "done", "failed"]


@dataclass(frozen=True)
class Slices:
    """How far the slices of a stage are. `done` is a little-endian bitmap of slice numbers."""

    done: bytes
    failed: frozenset[int]
    running: frozenset[int]

    def status(self, number: int) -> Status:
        """How far one slice is; a result beats a failure."""
        byte, bit = divmod(number, 8)
        if byte < len(self.done) and self.done[byte] >> bit & 1:
            return "done"
        if number in self.failed:
            return "failed"
        return "running" if number in self.running else "pending"


def statuses(plan: Plan, slices: Slices) -> list[dict[str, Any]]:
    """Each page of the plan with its status, in order."""
    found: dict[int, Status] = {}
    left = MAX_PAGES  # a reader of foreign files wrote the plan, maybe before plans were checked
    for number, slice_ in enumerate(plan.slices):
        covered = range(slice_.pages[0], slice_.pages[1] + 1)[:left] if slice_.pages else range(0)
        found.update(dict.fromkeys(covered, slices.status(number)))
        left -= len(covered)
    return [{"page": page, "status": found[page]} for page in sorted(found)]


def slice_of(plan: Plan, page: int) -> int | None:
    """The number of the slice that reads `page`, None if there is no such page."""
    for number, slice_ in enumerate(plan.slices):
        if slice_.pages and slice_.pages[0] <= page <= slice_.pages[1]:
            return number
    return None


def total(plan: Plan) -> int:
    """How many pages the document has."""
    return plan.page_count or max((slice_.pages[1] for slice_ in plan.slices if slice_.pages), default=0)
