"""Failed slices as a row keeps them: neighbours that failed alike are one run, however many they are. Pure.

A provider that is away fails thousands of pages with the same words. One by one they would be megabytes that are
written again with each further failure.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.document.stage_state import FailedSlice
from shared.events.document import Failure

Row = dict[str, Any]

_PAGE: Final = "page"


def to_rows(failed: Mapping[int, FailedSlice]) -> list[Row]:
    """The runs, in the order of their first slices.

    A run has `first` and `count` of its slices, `pages` (the first page and the pages of one slice, or None), `error`,
    and `own`: which places of the error name the slice's first page.
    """
    runs: list[Row] = []
    last: tuple[Failure, list[str], int | None] | None = None
    for number in sorted(failed):
        one = failed[number]
        error, own = _general(one)
        size = one.pages[1] - one.pages[0] + 1 if one.pages else None
        if last == (error, own, size) and _follows(runs[-1], number, one):
            runs[-1]["count"] += 1
            continue
        last = (error, own, size)
        pages = [one.pages[0], size] if one.pages else None
        runs.append({"first": number, "count": 1, "pages": pages, "error": error.model_dump(), "own": own})
    return runs


def from_rows(rows: Iterable[Row]) -> dict[int, FailedSlice]:
    """The failed slices of stored runs."""
    failed = {}
    for run in rows:
        error = Failure.model_validate(run["error"])
        for step in range(run["count"]):
            pages = None
            if run["pages"]:
                begins = run["pages"][0] + step * run["pages"][1]
                pages = (begins, begins + run["pages"][1] - 1)
            failed[run["first"] + step] = FailedSlice(_of_page(error, run["own"], pages), pages)
    return failed


def _follows(run: Row, number: int, one: FailedSlice) -> bool:
    if number != run["first"] + run["count"]:
        return False
    return one.pages is None or one.pages[0] == run["pages"][0] + run["count"] * run["pages"][1]


def _general(one: FailedSlice) -> tuple[Failure, list[str]]:
    """The error without the page that it is about, and where that stood."""
    error = one.error
    if one.pages is None:
        return error, []
    first, own = one.pages[0], []
    if error.page == first:
        own.append(_PAGE)
        error = error.model_copy(update={"page": None})
    if type(error.facts.get(_PAGE)) is int and error.facts[_PAGE] == first:
        own.append("facts")
        error = error.model_copy(update={"facts": {**error.facts, _PAGE: None}})
    return error, own


def _of_page(error: Failure, own: list[str], pages: tuple[int, int] | None) -> Failure:
    if not own or pages is None:
        return error
    changed: dict[str, Any] = {_PAGE: pages[0]} if _PAGE in own else {}
    if "facts" in own:
        changed["facts"] = {**error.facts, _PAGE: pages[0]}
    return error.model_copy(update=changed)
