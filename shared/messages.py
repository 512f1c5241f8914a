"""The words of progress: a stable code and its parameters become the sentence people read.

Clients may translate by code; this English text is what they show otherwise.
"""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any, Final, TypedDict


class Message(TypedDict):
    """A message as the document view carries it."""

    code: str
    params: dict[str, Any]
    text: str


# A part in brackets is said only where its parameters are known.
CATALOG: Final[Mapping[str, str]] = {
    "document.uploaded": "Uploaded, about to start",
    "document.processed": "Every stage is done, storing the results",
    "document.completed": "Done",
    "document.partial": "Done, except for {failed} pieces",
    "document.cancelling": "Stopping",
    "document.cancelled": "Stopped",
    "document.cancel_too_late": "Done: it had finished before it could be stopped",
    "document.failed": "Failed: {reason}",
    "stage.waiting": "Waiting for the stage before",
    "stage.planning": "Looking at what there is to do",
    "stage.concluding": "Putting the pieces together",
    "stage.done": "Done",
    "stage.slices_done": "{done} of {total} pieces done",
    "queue.waiting": "Waiting for a free worker[, {ahead} ahead]",
    "retry.scheduled": "Attempt {attempt} follows by itself: {reason}",
    "worker.lost": "The worker disappeared, the work is given to another",
    "ocr.pages_done": "Recognised page {done} of {total}",
    "stage.waiting_for_space": "Waiting for space: the disk is full",
    "ocr.waiting_for_provider": "Waiting for {provider}, which reads the pages",
    "ocr.reading_page": "Reading page {page}",
    "chunk.working": "Embedding the chunks",
    "extract.working": "Looking for findings",
    "chunk.embedding": "Embedding chunk {done} of {total}",
    "extract.looking": "Looking for {field}",
    "job.started": "Started",
    "job.said": "{text}",
    "job.silent": "No sign of life for more than {seconds} seconds",
    "job.completed": "Done",
    "job.failed": "Failed: {reason}",
    "rebuild.replaying": "{done} of {total} records replayed",
}


_OPTIONAL: Final = re.compile(r"\[(.*?)\]")


def _names(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


class _Params(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def message(code: str, **params: Any) -> Message:
    """The message of `code`; a code that is not listed reads as its own words."""
    template = CATALOG.get(code, code.replace(".", ": ").replace("_", " "))
    template = _OPTIONAL.sub(lambda part: part[1] if _names(part[1]) <= params.keys() else "", template)
    return {"code": code, "params": params, "text": template.format_map(_Params(params))}
