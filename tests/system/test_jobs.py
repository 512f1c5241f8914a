"""Standalone jobs on the whole system: reported over HTTP, watched like documents, rebuilt from the log."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from shared.kafka import topics
from tests.support import kafka
from tests.support.running_system import RunningSystem
from tests.support.wait import until
from tests.support.websocket import hear, socket

pytestmark = pytest.mark.timeout(180)

TITLE = "Import of Müller & Söhne"


async def started(system: RunningSystem, **body: Any) -> str:
    answer = await system.call("POST", "/v1/jobs", json={"title": TITLE, "type": "import", **body})
    assert answer.status_code == 201, answer.text
    job_id = str(answer.json()["job_id"])
    assert answer.headers["location"] == f"/v1/jobs/{job_id}"
    return job_id


async def report(system: RunningSystem, job_id: str, what: str = "progress", **body: Any) -> httpx.Response:
    return await system.call("POST", f"/v1/jobs/{job_id}/{what}", json=body)


async def test_a_job_is_watched_from_start_to_end_on_the_socket_of_the_documents(system: RunningSystem) -> None:
    job_id = await started(system)
    async with socket(system.url) as live:
        await live.send(json.dumps({"op": "subscribe", "ref": 1, "job_id": job_id}))
        first = await hear(live)
        assert (first["op"], first["ref"], first["job_id"]) == ("snapshot", 1, job_id)
        assert "document_id" not in first
        assert (first["document"]["title"], first["document"]["status"]) == (TITLE, "running")
        assert (await report(system, job_id, percent=42.5, message="Row 17 of 40")).status_code == 202
        update = await hear(live)
        assert (update["op"], update["job_id"]) == ("update", job_id)
        assert update["document"]["percent"] == 42.5
        assert update["document"]["message"]["text"] == "Row 17 of 40"
        assert (await report(system, job_id, "complete")).status_code == 202
        last = await hear(live)
        assert (last["document"]["status"], last["document"]["percent"]) == ("completed", 100.0)
        versions = [frame["version"] for frame in (first, update, last)]
        assert versions == sorted(set(versions))
        have = {"epoch": last["epoch"], "version": last["version"]}
        await live.send(json.dumps({"op": "subscribe", "ref": 2, "job_id": job_id, "have": have}))
        assert await hear(live) == {"op": "current", "ref": 2, "job_id": job_id, **have}
        await live.send(json.dumps({"op": "unsubscribe", "ref": 3, "job_id": job_id}))
        assert await hear(live) == {"op": "unsubscribed", "ref": 3}
    assert job_id in [view["job_id"] for view in (await system.call("GET", "/v1/jobs?status=completed")).json()["jobs"]]


async def test_the_percent_never_falls_and_a_burst_of_reports_ends_with_the_last(system: RunningSystem) -> None:
    job_id = await started(system)
    await report(system, job_id, percent=50)
    await asyncio.gather(*(report(system, job_id, percent=n / 2, message=f"{n}") for n in range(100)))
    await report(system, job_id, message="last")
    view = await system.until_job(job_id, percent=50.0)
    view = await until(lambda: said(system, job_id, "last"), what="the last report is shown")
    assert view["percent"] == 50.0
    assert view["version"] < 1_000_050  # a hundred reports were a few ticks


async def said(system: RunningSystem, job_id: str, text: str) -> dict[str, Any] | None:
    view = await system.job(job_id)
    return view if view["message"]["text"] == text else None


async def test_a_failed_job_says_why_and_what_to_do_and_takes_no_more_reports(system: RunningSystem) -> None:
    job_id = await started(system)
    await report(system, job_id, percent=30)
    await system.until_job(job_id, percent=30.0)
    why = {"code": "quota_reached", "message": "The CRM takes no more rows.", "action": "Ask for a larger quota."}
    assert (await report(system, job_id, "fail", **why)).status_code == 202
    view = await system.until_job(job_id, status="failed")
    assert why.items() <= view["error"].items()
    assert view["percent"] == 30.0
    assert (await report(system, job_id, "fail", **why)).status_code == 202  # the same again
    for what, body in (("progress", {"percent": 50}), ("complete", {}), ("fail", {"message": "something else"})):
        refused = await report(system, job_id, what, **body)
        assert (refused.status_code, refused.json()["code"]) == (409, "job_ended")
    assert await system.job(job_id) == view


async def test_the_same_request_under_the_same_key_is_one_job(system: RunningSystem) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = [await system.call("POST", "/v1/jobs", json={"title": TITLE}, headers=headers) for _ in range(2)]
    assert first.json() == again.json()
    other = await system.call("POST", "/v1/jobs", json={"title": "Another"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await system.job(first.json()["job_id"]))["version"] == 1_000_000


@pytest.mark.parametrize(
    "job_id", [f"job-{uuid.uuid4()}", "job-x", str(uuid.uuid4()), "%00"], ids=["job", "word", "document", "null"]
)
async def test_an_unknown_job_is_not_found_wherever_it_is_asked_for(system: RunningSystem, job_id: str) -> None:
    assert (await system.call("GET", f"/v1/jobs/{job_id}")).json()["code"] == "job.not_found"
    assert (await report(system, job_id)).json()["code"] == "job.not_found"
    async with socket(system.url) as live:
        await live.send(json.dumps({"op": "subscribe", "ref": 1, "job_id": job_id}))
        refusal = await hear(live)
        assert (refusal["op"], refusal["job_id"], refusal["error"]["code"]) == ("error", job_id, "job.not_found")
    async with socket(system.url, f"/v1/jobs/{job_id}/live") as live:
        with pytest.raises(ConnectionClosed):
            await hear(live)
        assert live.close_code == 4404


async def test_a_job_is_no_document_and_no_row_of_the_documents_feed(system: RunningSystem) -> None:
    async with socket(system.url) as live:
        await live.send(json.dumps({"op": "subscribe", "ref": 1, "feed": "documents"}))
        await hear(live)
        job_id = await started(system)
        await live.send(json.dumps({"op": "subscribe", "ref": 2, "document_id": job_id}))
        refusal = await hear(live)
        assert (refusal["ref"], refusal["error"]["code"]) == (2, "document.not_found")
    assert (await system.call("GET", f"/v1/documents/{job_id}")).status_code == 404


async def test_a_job_that_falls_silent_is_shown_as_stalled_until_it_is_heard_of_again(system: RunningSystem) -> None:
    job_id = await started(system, silent_after=1)
    stalled = await system.until_job(job_id, status="stalled")
    assert "No sign of life" in stalled["message"]["text"]
    await report(system, job_id)
    await system.until_job(job_id, status="running")
    await system.until_job(job_id, status="stalled")
    await report(system, job_id, "complete")
    await system.until_job(job_id, status="completed")


async def test_a_job_is_watched_over_an_event_stream_and_by_long_poll(system: RunningSystem) -> None:
    job_id = await started(system)
    view = await system.job(job_id)
    since = f"{view['epoch']}:{view['version']}"
    waiting = asyncio.create_task(system.call("GET", f"/v1/jobs/{job_id}", params={"wait": 20, "since": since}))
    async with httpx.AsyncClient(base_url=system.url, trust_env=False, timeout=20) as http:
        accept = {"Accept": "text/event-stream"}
        async with http.stream("GET", f"/v1/jobs/{job_id}/live", headers=accept) as stream:
            lines = (line async for line in stream.aiter_lines() if line.startswith("data: "))
            assert json.loads((await anext(lines))[6:])["op"] == "snapshot"
            await report(system, job_id, percent=10)
            frame = json.loads((await anext(lines))[6:])
            await lines.aclose()
    assert (frame["job_id"], frame["document"]["percent"]) == (job_id, 10.0)
    assert (await waiting).json()["percent"] == 10.0


async def test_no_topic_that_is_kept_holds_what_people_wrote(system: RunningSystem) -> None:
    job_id = await started(system)
    await report(system, job_id, percent=5, message="about Söhne")
    await report(system, job_id, "fail", message="Söhne refused", action="Ask Söhne")
    await system.until_job(job_id, status="failed")
    for topic in (topics.DOCUMENTS, topics.UPDATES):
        records = await kafka.records(system.settings.kafka, topic)
        mine = [record.value for record in records if record.key == job_id.encode()]
        assert mine
        assert not [value for value in mine if "Söhne".encode() in value or b"S\\u00f6hne" in value]


async def test_jobs_are_the_same_after_the_projections_were_thrown_away(system: RunningSystem) -> None:
    ended, running = await started(system), await started(system)
    await report(system, ended, "fail", message="It went wrong")
    await report(system, running, percent=12)
    ids = (ended, running)
    await system.until_job(ended, status="failed")
    await system.until_job(running, percent=12.0)
    before = await system.until_ready()
    views = [await system.job(job_id) for job_id in ids]
    await system.drop_projections()
    after = await system.until_ready(but=before)
    assert [await system.job(job_id) for job_id in ids] == [{**view, "epoch": after} for view in views]
