"""Time travel: one document as it was at a version, folded from the log.

Started as `python -m services.progress.history DOCUMENT_ID [VERSION]`; prints the document view as one JSON line.
"""

import sys
from collections.abc import AsyncIterator

import orjson

from services.progress import view
from services.progress.live import Live
from shared import logs, reading, topics
from shared.document import DocumentState, evolve
from shared.errors import Rejected, describe
from shared.events import DocumentFact, Fact, NotAnEnvelope, decode
from shared.given import NOTHING
from shared.process import run
from shared.settings import SharedSettings, read


async def at_version(settings: SharedSettings, document_id: str, version: int | None) -> DocumentState:
    """The document after the last fact whose version is not above `version`; after all of them for None.

    Raises Rejected("not_in_log").
    """
    state: DocumentState | None = None
    async for fact in facts(settings, document_id):
        after = evolve(state, fact)
        if after and version is not None and after.version > version:
            break
        state = after
    if state is None:
        asked = "any version" if version is None else f"version {version}"
        raise Rejected("not_in_log", document_id=document_id, version=asked)
    return state


async def facts(settings: SharedSettings, document_id: str) -> AsyncIterator[Fact]:
    """Every fact about one document, in the order of the log. Raises UnknownFact."""
    place = reading.place_of(topics.DOCUMENTS, document_id, settings.partitions)
    async for record in reading.to_the_end(settings.kafka, place):
        if record.key != document_id.encode():
            continue
        try:
            fact = decode(record.value)
        except NotAnEnvelope:
            continue  # as every fold does
        if isinstance(fact, DocumentFact):
            yield fact


async def tell(document_id: str, version: int | None) -> None:
    """Print the view, or why there is none."""
    try:
        state = await at_version(read(SharedSettings), document_id, version)
    except Rejected as error:
        print(orjson.dumps({"error": " ".join(describe(error.code, error.facts))}).decode())
        return
    print(orjson.dumps(view.render(state, Live(), given=NOTHING, epoch="log")).decode())


if __name__ == "__main__":
    logs.configure("history", "ERROR")
    run(tell(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
