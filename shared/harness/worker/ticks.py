"""Ticks as they come from a stage's code, which may put anything into them. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from shared.events.document import Progress, utcnow
from shared.harness.work_item import WorkItem

_MAX_BYTES: Final = 4096  # of one tick: it goes to everybody who watches
_CODE: Final = 64  # characters
_EXACT: Final = 2**53  # what a JSON number can be anywhere


def progress_of(item: WorkItem, tick: Any) -> Progress:
    """The sign of life that `tick` is, from JSON: code, fraction, params. Raises ValueError with what is wrong."""
    if not isinstance(tick, Mapping) or not isinstance(tick.get("code"), str):
        raise ValueError("a tick has a code")
    if not 0 < len(tick["code"]) <= _CODE:
        raise ValueError(f"the code of a tick has 1 to {_CODE} characters")
    params = tick.get("params") or {}
    if not isinstance(params, Mapping):
        raise ValueError("the parameters of a tick have names")
    for name, value in params.items():
        if not str(name).isidentifier():
            raise ValueError(f"{str(name)[:_CODE]!r} is no name of a parameter")
        if not isinstance(value, str) and not (isinstance(value, int | float) and abs(value) <= _EXACT):
            raise ValueError(f"the parameter {name[:_CODE]!r} is neither text nor a number that everybody can read")
    progress = Progress(
        document_id=item.document_id,
        tenant=item.tenant,
        stage=item.stage,
        attempt=item.attempt,
        slice=item.slice,
        fraction=tick.get("fraction", 0.0),
        code=tick["code"],
        params=dict(params),
        at=utcnow(),
    )
    if len(progress.encode()) > _MAX_BYTES:
        raise ValueError(f"a tick has at most {_MAX_BYTES} bytes")
    return progress
