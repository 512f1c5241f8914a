"""A batch as one: how far all of its documents are together, kept up to date change by change."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from services.gateway.targets import Standing
from shared.document.state import TERMINAL


class BatchProgress:
    """The documents of one batch in one epoch. Newer versions win, so reading and hearing may come in any order."""

    def __init__(self) -> None:
        self._epoch: str | None = None
        self._standings: dict[str, Standing] = {}
        self._statuses: Counter[str] = Counter()  # of those that are there
        self._whole = 0  # the sum of their tenths of a percent

    def __contains__(self, document_id: str) -> bool:
        return document_id in self._standings

    def note(self, epoch: str, document_id: str, standing: Standing) -> None:
        """What was heard of one document. Another epoch than that of the last `fill` begins with one of its own."""
        if self._epoch not in (None, epoch):
            return
        known = self._standings.get(document_id)
        if known is None or known.version < standing.version:
            self._standings[document_id] = standing
            self._count(known, -1)
            self._count(standing, 1)

    def fill(self, epoch: str, found: Iterable[tuple[str, Standing]]) -> None:
        """All documents of the batch, as they were read."""
        if epoch != self._epoch:
            if self._epoch is not None:
                self._standings.clear()
                self._statuses.clear()
                self._whole = 0
            self._epoch = epoch
        for document_id, standing in found:
            self.note(epoch, document_id, standing)

    def progress(self) -> dict[str, Any]:
        """`{"status", "percent", "total", "done", "failed", "cancelled"}`.

        `percent` is the mean, where what has ended counts whole: at 100 nothing is left to wait for. `status` is
        `uploaded` while nothing has begun, `processing` until all have ended, then `failed` if any has failed, else
        `completed`, or `cancelled` when all were.
        """
        total = self._statuses.total()
        return {
            "status": _status({status for status, count in self._statuses.items() if count}),
            "percent": self._whole // total / 10 if total else 0.0,
            "total": total,
            "done": self._statuses["completed"],
            "failed": self._statuses["failed"],
            "cancelled": self._statuses["cancelled"],
        }

    def _count(self, standing: Standing | None, sign: int) -> None:
        """Count one more, or one less: each frame of a batch carries its progress, which is never summed then."""
        if standing is None or standing.status is None:
            return
        self._statuses[standing.status] += sign
        self._whole += sign * (1000 if standing.status in TERMINAL else min(int(standing.percent * 10), 999))


def _status(kinds: set[str]) -> str:
    if kinds <= {"uploaded"}:
        return "uploaded"
    if not kinds <= TERMINAL:
        return "processing"
    if "failed" in kinds:
        return "failed"
    return "cancelled" if kinds == {"cancelled"} else "completed"
