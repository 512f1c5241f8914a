"""What operators see of the whole system: `/v1/system` and `/metrics`."""

import asyncio
import json
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.events.document import decode
from shared.events.pipeline import PIPELINE
from shared.kafka import topics
from tests.support import kafka, pdfs
from tests.support.running_system import RunningSystem
from tests.support.websocket import hear, socket

pytestmark = pytest.mark.timeout(180)

STAGES = {line.stage for line in PIPELINE}
FOLDS = {"progress"} | {f"coordinator/{stage}" for stage in STAGES}


async def scraped(system: RunningSystem) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by name and labels."""
    answer = await system.call("GET", "/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


async def test_one_watched_document_shows_in_every_metric(system: RunningSystem) -> None:
    document_id = await system.upload(pdfs.born_digital(1))
    async with socket(system.url) as live:
        await live.send(json.dumps({"op": "subscribe", "ref": 1, "document_id": document_id}))
        async with asyncio.timeout(60):
            while (await hear(live))["document"]["status"] != "completed":
                pass
        samples = await scraped(system)
        assert samples["pagestream_connections", frozenset({("kind", "socket")})] == 1
    assert samples["pagestream_fact_to_frame_seconds_count", frozenset()] > 0
    assert samples["pagestream_changes_delivered_total", frozenset()] > 0
    assert ("pagestream_frames_merged_total", frozenset()) in samples
    upload = {("method", "POST"), ("route", "/v1/documents"), ("status", "202")}
    assert samples["pagestream_http_request_seconds_count", frozenset(upload)] >= 1
    for fold in FOLDS:
        assert samples["pagestream_fold_halted", frozenset({("fold", fold)})] == 0
        assert ("pagestream_fold_lag_records", frozenset({("fold", fold)})) in samples
    for fold in FOLDS - {"progress"}:
        assert samples["pagestream_circulating_documents", frozenset({("fold", fold)})] == 0
    for stage in STAGES:
        assert samples["pagestream_stage_slots", frozenset({("stage", stage)})] >= 1
        assert samples["pagestream_stage_jobs", frozenset({("stage", stage), ("status", "completed")})] >= 1
        ended = {("stage", stage), ("outcome", "completed")}
        counts = [samples["pagestream_stage_seconds_bucket", frozenset({*ended, ("le", le)})] for le in ("0.1", "+Inf")]
        assert 0 <= counts[0] <= counts[1] == samples["pagestream_stage_seconds_count", frozenset(ended)]
        assert counts[1] >= 1
        assert samples["pagestream_stage_seconds_sum", frozenset(ended)] > 0
    assert not [labels for _, labels in samples if document_id in str(labels)]


async def test_failures_are_counted_by_code_and_parked_records_too(system: RunningSystem) -> None:
    before = (await system.call("GET", "/v1/system")).json()
    document_id = await system.upload(pdfs.broken())
    assert (await system.until(document_id, {"failed"}))["error"]["code"] == "corrupt_pdf"
    after = (await system.call("GET", "/v1/system")).json()
    assert after["failures"]["corrupt_pdf"] == before["failures"].get("corrupt_pdf", 0) + 1
    assert (await scraped(system))["pagestream_documents_failed", frozenset({("code", "corrupt_pdf")})] >= 1
    assert after["parked"] >= 0
    assert after["stages"].keys() == STAGES
    assert {fold["name"] for fold in after["folds"]} == FOLDS
    assert after["halted"] == []
    assert after["circulating"] == 0


async def test_a_requests_trace_is_in_the_facts_of_every_worker(system: RunningSystem) -> None:
    trace = f"00-{uuid.uuid4().hex}-00f067aa0ba902b7-01"
    answer = await system.call(
        "POST",
        "/v1/documents",
        params={"filename": "a.pdf", "force": "true"},
        content=pdfs.born_digital(1),
        headers={"traceparent": trace},
    )
    assert answer.headers["traceparent"] == trace
    document_id = answer.json()["document_id"]
    assert (await system.until(document_id))["status"] == "completed"
    records = await kafka.records(system.settings.kafka, topics.DOCUMENTS)
    mine = [(decode(r.value), dict(r.headers)) for r in records if r.key == document_id.encode()]
    said = [(fact, headers) for fact, headers in mine if fact.producer.endswith(("gateway", "worker"))]
    assert {fact.producer for fact, _ in said} == {"gateway", *(f"{stage}-worker" for stage in STAGES)}
    assert {headers.get("traceparent") for _, headers in said} == {trace.encode()}
