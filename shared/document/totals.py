"""What is counted of a tenant's documents: each adds its own counts, and takes them back when it changes. Pure.

A count is a whole number under a name of words joined by "/", so that those of all documents are added name by name.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from shared.document import view
from shared.document.live_overlay import LiveOverlay
from shared.document.state import TERMINAL, DocumentState

Counts = Mapping[str, int]

STAGE_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)  # bounds of the buckets
_PAGES: Final = "pages"  # by the day of the upload


class StageTimes(NamedTuple):
    """How long the ended stages of one kind and outcome took: how many by bucket of STAGE_SECONDS, and all together."""

    buckets: list[int]  # one more than there are bounds: those above the last
    seconds: float


def count(state: DocumentState, live: LiveOverlay) -> Counts:
    """What one document adds; of a deleted one nothing is counted."""
    if state.status == "deleted":
        return {}
    counts = {"documents": 1, "bytes": state.size}
    if state.status not in TERMINAL:
        counts["unfinished"] = 1
    if pages := next((stage.pages for stage in state.stages.values() if stage.pages is not None), None):
        counts[f"{_PAGES}/{state.uploaded_at.date()}"] = pages
    if state.status == "failed" and (error := view.failure_of(state)):
        counts[f"failed/{error.code}"] = 1
    for stage, stage_state in state.stages.items():
        of_stage = f"{stage}/{view.status_of(stage_state, live)}"
        counts[f"stages/{of_stage}"] = 1
        if stage_state.started_at and stage_state.completed_at:
            seconds = (stage_state.completed_at - stage_state.started_at).total_seconds()
            counts[f"took/{of_stage}/{bisect_left(STAGE_SECONDS, seconds)}"] = 1
            counts[f"milliseconds/{of_stage}"] = round(seconds * 1000)
    return counts


def difference(before: Counts, after: Counts) -> Counter[str]:
    """What to add to a sum that holds `before`, so that it holds `after`."""
    changed = Counter(dict(after))
    changed.subtract(before)
    return changed


class Totals:
    """The counts of many documents."""

    def __init__(self, counts: Iterable[Counts]) -> None:
        self._sums: Counter[str] = Counter()
        for some in counts:
            self._sums.update(some)

    @property
    def unfinished(self) -> int:
        """Documents that have not come to an end."""
        return self._sums["unfinished"]

    @property
    def bytes(self) -> int:
        """Of the uploads."""
        return self._sums["bytes"]

    def pages(self, day: date) -> int:
        """Of the documents that were uploaded on a day, in UTC; long ago is not kept."""
        return self._sums[f"{_PAGES}/{day}"]

    def failures(self) -> dict[str, int]:
        """How many documents failed, by code."""
        return {code: number for (code,), number in self._under("failed")}

    def stages(self) -> dict[tuple[str, str], int]:
        """How many stages of documents there are, by stage and status."""
        return {(stage, status): number for (stage, status), number in self._under("stages")}

    def stage_times(self) -> dict[tuple[str, str], StageTimes]:
        """How long stages took, by stage and outcome."""
        buckets: dict[tuple[str, str], list[int]] = {}
        for (stage, status, bucket), number in self._under("took"):
            buckets.setdefault((stage, status), [0] * (len(STAGE_SECONDS) + 1))[int(bucket)] = number
        spent = {(stage, status): number / 1000 for (stage, status), number in self._under("milliseconds")}
        return {of_stage: StageTimes(found, spent.get(of_stage, 0.0)) for of_stage, found in buckets.items()}

    def _under(self, kind: str) -> Iterator[tuple[list[str], int]]:
        for name, number in sorted(self._sums.items()):
            first, *rest = name.split("/")
            if first == kind and number > 0:
                yield rest, number


def without_old_days(counts: Counts, today: date) -> dict[str, int]:
    """The counts that are not zero, without the pages of days that no quota asks for."""
    return {name: number for name, number in counts.items() if number and not _is_old(name, today)}


def _is_old(name: str, today: date) -> bool:
    kind, _, day = name.partition("/")
    return kind == _PAGES and (today - date.fromisoformat(day)).days > 1
