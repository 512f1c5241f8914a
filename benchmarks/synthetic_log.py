"""A log that nobody worked for: the facts of processed documents, written to a broker of the measurement's own."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from shared.events.document import (
    DocumentCompleted,
    DocumentUploaded,
    Fact,
    SliceCompleted,
    StageCompleted,
    StagePlanned,
    StageStarted,
)
from shared.events.pipeline import PIPELINE
from shared.kafka import topics

TENANT: Final = "default"


async def append(bootstrap: str, facts: Iterable[Fact]) -> int:
    """Append the facts in their order; how many they are."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=20, compression_type="lz4", max_batch_size=2**18)
    await producer.start()
    appended = 0
    try:
        for fact in facts:
            await producer.send(topics.DOCUMENTS, fact.encode(), key=fact.document_id.encode())
            appended += 1
    finally:
        await producer.stop()
    return appended


def history(document_id: str, moment: datetime, *, pages: int, media_type: str) -> Iterator[Fact]:
    """The facts of one document, from upload to completion."""
    common: dict[str, Any] = {"document_id": document_id, "tenant": TENANT, "at": moment, "producer": "bench"}
    yield DocumentUploaded.claim(
        claim="1", pipeline=tuple(PIPELINE), size=1000 * pages, media_type=media_type, **common
    )
    for line in PIPELINE:
        stage: dict[str, Any] = {**common, "stage": line.stage, "attempt": 1}
        slices = pages if line.stage == "ocr" else 1
        yield StageStarted.claim(claim=line.stage, **stage)
        yield StagePlanned.claim(
            claim=line.stage, plan="p", slices=slices, weight=float(slices),
            page_count=pages if line.stage == "ocr" else None, **stage,
        )  # fmt: skip
        for slice_ in range(slices):
            span = (slice_ + 1, slice_ + 1) if line.stage == "ocr" else None
            yield SliceCompleted.claim(
                claim=f"{line.stage}/{slice_}", plan="p", slice=slice_, weight=1.0, pages=span, **stage
            )
        yield StageCompleted.claim(claim=line.stage, plan="p", result=result_of(document_id, line.stage), **stage)
    yield DocumentCompleted.claim(claim="1", run=1, **common)


def result_of(document_id: str, stage: str) -> str:
    """The name of a stage's result; flat, so that a document is one folder."""
    return f"{TENANT}/{document_id}/result-of-{stage}"
