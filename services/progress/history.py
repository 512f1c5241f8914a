"""Time travel: one document as it was at a version, folded from the log.

Started as `python -m services.progress.history DOCUMENT_ID [VERSION]`; prints the document view as one JSON line.
"""

import sys
from collections.abc import AsyncIterator

import orjson

from shared.document import view
from shared.document.live_overlay import LiveOverlay
from shared.document.state import DocumentState
from shared.document.upload_info import NOTHING
from shared.error_catalog import describe
from shared.errors import Rejected
from shared.events.document import Fact
from shared.kafka import partition_reader, topics
from shared.projecting import versions
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import SharedSettings, read


async def at_version(settings: SharedSettings, document_id: str, version: int | None) -> DocumentState:
    """The document after the last fact whose version is not above `version`; after all of them for None.

    Raises Rejected("not_in_log").
    """
    state = await versions.at_version(facts(settings, document_id), version)
    if state is None:
        asked = "any version" if version is None else f"version {version}"
        raise Rejected("not_in_log", document_id=document_id, version=asked)
    return state


def facts(settings: SharedSettings, document_id: str) -> AsyncIterator[Fact]:
    """Every fact about one document, in the order of the log. Raises UnknownFact."""
    place = partition_reader.place_of(topics.DOCUMENTS, document_id, settings.partitions)
    return versions.facts(partition_reader.to_the_end(settings.kafka, place), document_id)


async def print_versions(document_id: str, version: int | None) -> None:
    """Print the view, or why there is none."""
    try:
        state = await at_version(read(SharedSettings), document_id, version)
    except Rejected as error:
        print(orjson.dumps({"error": " ".join(describe(error.code, error.facts))}).decode())
        return
    print(orjson.dumps(view.render(state, LiveOverlay(), info=NOTHING, epoch="log")).decode())


if __name__ == "__main__":
    logs.configure("history", "ERROR")
    run(print_versions(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
