"""The words of progress: a stable code and its parameters become the sentence people read.

Clients may translate by code; this English text is what they show otherwise.
"""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any, Final, TypedDict

from shared.error_catalog import describe
from shared.events.document import Failure


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
    # The sentence of the timeline for each type of fact; for a slice, by the kind of slice.
    "timeline.DocumentUploaded": "Uploaded",
    "timeline.StageStarted": "Stage {stage} started, attempt {attempt}",
    "timeline.StagePlanned": "Stage {stage} planned: {slices} pieces",
    "timeline.SliceCompleted.page": "Stage {stage} finished page {page}",
    "timeline.SliceCompleted.pages": "Stage {stage} finished pages {first} to {last}",
    "timeline.SliceCompleted.piece": "Stage {stage} finished piece {piece}",
    "timeline.SliceFailed.page": "Stage {stage} failed on page {page}: {reason}",
    "timeline.SliceFailed.pages": "Stage {stage} failed on pages {first} to {last}: {reason}",
    "timeline.SliceFailed.piece": "Stage {stage} failed on piece {piece}: {reason}",
    "timeline.SliceFailed.plan": "Stage {stage} failed on planning: {reason}",
    "timeline.SliceFailed.conclude": "Stage {stage} failed on concluding: {reason}",
    "timeline.WorkerLost.piece": "The worker on piece {piece} of stage {stage} disappeared",
    "timeline.WorkerLost.plan": "The worker on planning of stage {stage} disappeared",
    "timeline.WorkerLost.conclude": "The worker on concluding of stage {stage} disappeared",
    "timeline.StageCompleted": "Stage {stage} completed",
    "timeline.StageFailed": "Stage {stage} failed: {reason}",
    "timeline.RetryScheduled": "Attempt {attempt} of stage {stage} follows in {seconds} s",
    "timeline.StageRequested": "Stage {stage} is to run again, attempt {attempt}",
    "timeline.DocumentCompleted": "Completed",
    "timeline.DocumentCancelled": "Cancelled",
    "timeline.RetryRequested": "Somebody asked to try again",
    "timeline.CancelRequested": "Somebody asked to stop",
    "timeline.DocumentDeleted": "Somebody deleted the document",
    "timeline.DocumentErased": "Everything stored was erased",
}


_OPTIONAL: Final = re.compile(r"\[([^\[\]]*+)\]")


def _names(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


class _Params(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def because(error: Failure) -> dict[str, Any]:
    """The parameters of a message that gives a reason: `reason` in English, `error` for those who translate it."""
    return {"reason": describe(error.code, error.facts)[0], "error": {"code": error.code, "facts": error.facts}}


def message(code: str, **params: Any) -> Message:
    """The message of `code`; a code that is not listed reads as its own words."""
    template = CATALOG.get(code, code.replace(".", ": ").replace("_", " "))
    if "[" in template:  # hardly any: this is said of every fact of a replay
        template = _OPTIONAL.sub(lambda part: part[1] if _names(part[1]) <= params.keys() else "", template)
    return {"code": code, "params": params, "text": template.format_map(_Params(params))}
