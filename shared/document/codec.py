"""A document's state as a row of the database, and back: bitmaps as bytes, slice numbers as strings, sets sorted."""

from datetime import datetime
from typing import Any, Final

from msgspec.structs import astuple

from shared.document import failed_slices
from shared.document.stage_state import FailedSlice, StageState
from shared.document.state import DocumentState
from shared.events.document import Failure

Row = dict[str, Any]

# The columns of a row in the order of the fields, two of which have another name there.
_COLUMNS: Final = tuple({"stages": "jobs"}.get(field, field) for field in DocumentState.__struct_fields__)
_STAGE_COLUMNS: Final = tuple({"claim_counts": "strikes"}.get(field, field) for field in StageState.__struct_fields__)
_FEW: Final = 20  # failed slices that stand one by one


def to_row(state: DocumentState) -> Row:
    """The row of a state."""
    row: Row = dict(zip(_COLUMNS, astuple(state), strict=True))
    row["requests"] = list(state.requests)
    row["jobs"] = [_stage_row(stage) for stage in state.stages.values()]
    return row


def from_row(row: Row) -> DocumentState:
    """The state of a stored row."""
    stages = [_stage(raw) for raw in row["jobs"]]
    fields = {**row, "stages": {stage.stage: stage for stage in stages}, "requests": tuple(row["requests"])}
    del fields["jobs"]
    return DocumentState(**fields)


def without_defaults(row: Row) -> Row:
    """The row of a state without what every new document has: a row of before a field was there is the same."""
    left = {name: value for name, value in row.items() if value != _DEFAULTS.get(name, _ABSENT)}
    left["jobs"] = [
        {name: value for name, value in stage.items() if value != _STAGE_DEFAULTS.get(name, _ABSENT)}
        for stage in row["jobs"]
    ]
    return left


def bitmap(stage_state: StageState) -> bytes:
    """The slices that have a result: slice n is bit n, little-endian."""
    return stage_state.done.to_bytes((stage_state.done.bit_length() + 7) // 8, "little")


def _stage_row(stage_state: StageState) -> Row:
    row: Row = dict(zip(_STAGE_COLUMNS, astuple(stage_state), strict=True))
    row["done"] = bitmap(stage_state)
    row["error"] = stage_state.error.model_dump() if stage_state.error else None
    few = len(stage_state.failed) <= _FEW
    row["failed"] = {
        str(number): {"error": failed.error.model_dump(), "pages": list(failed.pages) if failed.pages else None}
        for number, failed in (sorted(stage_state.failed.items()) if few else ())
    }
    row["failed_runs"] = [] if few else failed_slices.to_rows(stage_state.failed)
    row["strikes"] = {str(number): count for number, count in sorted(stage_state.claim_counts.items())}
    row["lost"] = sorted(stage_state.lost)
    return row


def _stage(row: Row) -> StageState:
    failed = {
        int(number): FailedSlice(
            Failure.model_validate(raw["error"]), (raw["pages"][0], raw["pages"][1]) if raw["pages"] else None
        )
        for number, raw in row["failed"].items()
    } | failed_slices.from_rows(row.get("failed_runs", ()))
    fields = {
        **row,
        "done": int.from_bytes(row["done"], "little"),
        "error": Failure.model_validate(row["error"]) if row["error"] else None,
        "failed": failed,
        "claim_counts": {int(number): count for number, count in row["strikes"].items()},
        "lost": frozenset(row["lost"]),
    }
    del fields["strikes"]
    fields.pop("failed_runs", None)  # rows of before have none
    return StageState(**fields)


def _defaults(row: Row, columns: tuple[str, ...], defaults: tuple[Any, ...]) -> Row:
    """The columns of a state's last fields, those that have defaults."""
    return {name: row[name] for name in columns[len(columns) - len(defaults) :]}


_ABSENT: Final = object()
_STAGE_DEFAULTS: Final = _defaults(
    _stage_row(StageState(stage="", guess=0.0)), _STAGE_COLUMNS, StageState.__struct_defaults__
) | {"failed_runs": []}
_DEFAULTS: Final = _defaults(
    to_row(DocumentState("", "", 0, "", {}, datetime.min, datetime.min)), _COLUMNS, DocumentState.__struct_defaults__
)
