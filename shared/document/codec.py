"""A document's state as a row of the database, and back: bitmaps as bytes, slice numbers as strings, sets sorted."""

from typing import Any, Final

from msgspec.structs import asdict

from shared.document import failed_slices
from shared.document.stage_state import FailedSlice, StageState
from shared.document.state import DocumentState
from shared.events.document import Failure

Row = dict[str, Any]

_FEW: Final = 20  # failed slices that stand one by one


def to_row(state: DocumentState) -> Row:
    """The row of a state."""
    row = asdict(state)
    row["requests"] = list(state.requests)
    row["jobs"] = [_job_row(job) for job in state.jobs.values()]
    return row


def from_row(row: Row) -> DocumentState:
    """The state of a stored row."""
    jobs = [_job(raw) for raw in row["jobs"]]
    return DocumentState(**{**row, "jobs": {job.stage: job for job in jobs}, "requests": tuple(row["requests"])})


def bitmap(job: StageState) -> bytes:
    """The slices that have a result: slice n is bit n, little-endian."""
    return job.done.to_bytes((job.done.bit_length() + 7) // 8, "little")


def _job_row(job: StageState) -> Row:
    row = asdict(job)
    row["done"] = bitmap(job)
    row["error"] = job.error.model_dump() if job.error else None
    few = len(job.failed) <= _FEW
    row["failed"] = {
        str(number): {"error": failed.error.model_dump(), "pages": list(failed.pages) if failed.pages else None}
        for number, failed in (sorted(job.failed.items()) if few else ())
    }
    row["failed_runs"] = [] if few else failed_slices.to_rows(job.failed)
    row["strikes"] = {str(number): strike for number, strike in sorted(job.strikes.items())}
    row["lost"] = sorted(job.lost)
    return row


def _job(row: Row) -> StageState:
    failed = {
        int(number): FailedSlice(
            Failure.model_validate(raw["error"]), (raw["pages"][0], raw["pages"][1]) if raw["pages"] else None
        )
        for number, raw in row["failed"].items()
    } | failed_slices.from_rows(row.get("failed_runs", ()))
    special = {
        "done": int.from_bytes(row["done"], "little"),
        "error": Failure.model_validate(row["error"]) if row["error"] else None,
        "failed": failed,
        "strikes": {int(number): strike for number, strike in row["strikes"].items()},
        "lost": frozenset(row["lost"]),
    }
    return StageState(**{**{name: value for name, value in row.items() if name != "failed_runs"}, **special})
