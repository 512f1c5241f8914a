"""Every state that a document can be in, as views that the gateway would send, and how to put them on the page."""

from datetime import UTC, datetime
from typing import Any, Final

from shared.document.messages import Message, message
from shared.document.view import iso

LOST: Final = message("worker.lost")
SHOW: Final = """(views) => {
  const title = document.createElement("h1");
  title.textContent = "States";
  document.querySelector("main").replaceChildren(title, ...views.map((view) => {
    const element = document.createElement("document-progress");
    element.style.margin = "1.4rem 0";
    element.document = view;
    return element;
  }));
}"""


def states() -> list[dict[str, Any]]:
    """A view of each state that a document can be in."""
    error = {
        "code": "corrupt_pdf",
        "facts": {"detail": "page 3 cannot be read"},
        "message": "The PDF is damaged and cannot be opened: page 3 cannot be read.",
        "stage": "ocr",
        "page": 3,
        "attempt": 2,
        "retryable": False,
        "action": "Open and save it again, or export it anew.",
    }
    waits = {"status": "retrying", "attempt": 2, "error": error}
    done = {"total": 40, "done": 17, "failed": []}
    return [
        view("uploaded", percent=0),
        view("processing", pages=done, eta_seconds={"low": 12, "high": 20}),
        view("retrying", stages={"ocr": waits}, message=retry_at(datetime(2031, 1, 1, tzinfo=UTC), error["message"])),
        view("processing", stages={"ocr": {"status": "stalled", "attempt": 1}}, message=LOST),
        view("cancelling"),
        view("cancelled"),
        view("failed", error=error),
        view("completed", percent=100, partial=True, pages={"total": 40, "done": 38, "failed": [3, 9]}, error=error),
        view("completed", percent=100, pages={"total": 40, "done": 40, "failed": []}),
    ]


def retry_at(moment: datetime, reason: str) -> Message:
    """What a document says while it waits for its third attempt."""
    return message("retry.scheduled", attempt=3, reason=reason, due_at=iso(moment))


def view(status: str, **more: Any) -> dict[str, Any]:
    """A document view as the gateway sends it, with what a state needs."""
    said = message("ocr.pages_done", done=17, total=40) if status == "processing" else None
    common = {"document_id": f"{status}", "filename": f"{status}.pdf", "percent": 42.5, "partial": False}
    return {**common, "status": status, "message": said, "stages": {}, "error": None, **more}
