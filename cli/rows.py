"""One document as a row of a table: what a person sees of it, built from its view."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

STEP: Final = 10  # percent between two plain lines of the same state


@dataclass(frozen=True)
class Row:
    """`percent` 0 … 100 of the current state's work; the other fields are words, empty where there is nothing to say.

    `reason` is why it failed and what to do; `warning` what a completed document lacks.
    """

    name: str
    state: str
    percent: float = 0.0
    pages: str = ""
    message: str = ""
    eta: str = ""
    reason: str = ""
    warning: str = ""


def of_view(view: Mapping[str, Any]) -> Row:
    """The row of a document view, or of a job's."""
    pages = view.get("pages") or {}
    failed = pages.get("failed") or []
    return Row(
        name=printable(view.get("filename") or view.get("title") or view.get("document_id") or view["job_id"]),
        state=view["status"],
        percent=float(view.get("percent") or 0.0),
        pages=_pages(pages.get("done"), pages.get("total")),
        message=printable((view.get("message") or {}).get("text") or ""),
        eta=_eta(view.get("eta_seconds")),
        reason=reason(view.get("error")) if view["status"] in ("failed", "retrying") else "",
        warning=_warning(view.get("partial", False), failed),
    )


def uploading(name: str, sent: int, total: int) -> Row:
    """The row of a file on its way; `sent` and `total` in bytes."""
    percent = 100.0 * sent / total if total else 100.0
    return Row(printable(name), "uploading", percent, message=f"{size(sent)} of {size(total)}")


def deleted(row: Row) -> Row:
    return replace(row, state="deleted", message="", eta="")


def refused(row: Row, sentence: str) -> Row:
    return replace(row, state="refused", message="", eta="", reason=printable(sentence))


def reason(error: dict[str, Any] | None) -> str:
    """Why, where and what to do, as one line; empty without an error."""
    if not error:
        return ""
    page = f" (page {error['page']})" if error.get("page") else ""
    action = error.get("action") or ""
    return printable(f"{error.get('message') or error.get('code')}{page} {action}".strip())


def worth_a_line(before: Row | None, after: Row) -> bool:
    """Whether a plain log should say it: a new state, or another ten percent within one."""
    if before is None or before.state != after.state:
        return True
    return int(after.percent // STEP) > int(before.percent // STEP)


def plain(row: Row) -> str:
    """The row as one line of text."""
    facts = (row.pages, row.reason or row.message, row.eta, row.warning)
    head = f"{row.name}: {row.state} {int(row.percent)} %"
    return "  ".join((head, *(fact for fact in facts if fact)))


def size(count: int) -> str:
    """`count` bytes in words: 512 B, 3.4 MB."""
    if count < 1000:
        return f"{count} B"
    for unit in ("kB", "MB", "GB"):
        count_in_unit = count / {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
        if count_in_unit < 1000 or unit == "GB":
            return f"{count_in_unit:.1f} {unit}"
    raise AssertionError(count)


def printable(text: str) -> str:
    """`text` on one line and without what would steer a terminal: file names and messages come from strangers."""
    return "".join(c if c.isprintable() else " " for c in text)


def duration(seconds: float) -> str:
    """Whole seconds below two minutes, whole minutes above."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _pages(done: int | None, total: int | None) -> str:
    if not total:
        return ""
    return f"{done or 0}/{total} page{'' if total == 1 else 's'}"


def _eta(eta: dict[str, float] | None) -> str:
    if not eta:
        return ""
    low, high = duration(eta["low"]), duration(eta["high"])
    if low == high:
        return f"{low} left"
    same_unit = low.split()[1] == high.split()[1]
    return f"{low.split()[0] if same_unit else low} to {high} left"


def _warning(partial: bool, failed: list[int]) -> str:
    if not partial:
        return ""
    return f"without page {', '.join(map(str, failed))}" if failed else "with parts missing"
