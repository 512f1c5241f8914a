"""One document's past: what the log said of it, in order, and the state that this made."""

from collections.abc import AsyncIterator

from aiokafka import ConsumerRecord

from shared.document.state import DocumentState, evolve
from shared.events.document import DocumentFact, Fact, NotAnEnvelope, decode


async def facts(records: AsyncIterator[ConsumerRecord], document_id: str) -> AsyncIterator[Fact]:
    """Those of `records` that are facts about the document, in their order. Raises UnknownFact."""
    async for record in records:
        if record.key != document_id.encode():
            continue
        try:
            fact = decode(record.value)
        except NotAnEnvelope:
            continue  # as every fold does
        if isinstance(fact, DocumentFact):
            yield fact


async def at_version(facts: AsyncIterator[Fact], version: int | None) -> DocumentState | None:
    """The state after the last fact whose version is not above `version` (after all for None); None before the first.

    The facts are left where they pass that version.
    """
    state: DocumentState | None = None
    async for fact in facts:
        after = evolve(state, fact)
        if after and version is not None and after.version > version:
            break
        state = after
    return state
