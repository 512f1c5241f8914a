"""The client against a gateway that speaks the contract."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from pagestream import DOCUMENTS, PagestreamClient, Refused, State, Target, Unreachable
from tests.support.fake_gateway import FakeGateway, told, view


def eager(gateway: FakeGateway, token: str | None = None, **options) -> PagestreamClient:
    """A client that comes back without waiting."""
    return PagestreamClient(gateway.url, token, jitter=lambda: 0.0, **options)


async def collected(client: PagestreamClient, ids: list[str], **options: Any) -> list[dict[str, Any]]:
    async with client:
        return [state.frame async for state in client.watch(ids, **options)]


async def test_watching_ends_when_every_document_has_ended(gateway: FakeGateway) -> None:
    gateway.sockets = [(2, [
        told("snapshot", 1, document_id="a"), told("snapshot", 1, "failed", "b"), told("update", 2, document_id="a"),
        told("update", 3, "completed", "a"),
    ])]  # fmt: skip
    frames = await collected(eager(gateway), ["a", "b"])
    assert [(f["document_id"], f["version"]) for f in frames] == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]
    assert gateway.protocols == [["pagestream.v1"]]


async def test_after_a_restart_of_the_gateway_it_resumes_with_what_it_has(gateway: FakeGateway) -> None:
    lost: list[str] = []
    gateway.sockets = [
        (2, [told("snapshot", 5, document_id="a"), told("snapshot", 6, "completed", "b"), 1012]),
        (1, [{"op": "current", "ref": 0, "document_id": "a", "epoch": "e1", "version": 5}, 1012]),
        (1, [told("snapshot", 9, "completed", "a")]),
    ]
    frames = await collected(eager(gateway, on_lost=lambda reason, _: lost.append(reason)), ["a", "b"])
    assert [(f["document_id"], f["version"]) for f in frames] == [("a", 5), ("b", 6), ("a", 9)]
    resumed = {"op": "subscribe", "ref": 0, "document_id": "a", "have": {"epoch": "e1", "version": 5}}
    assert gateway.subscribed[1:] == [[resumed], [resumed]]
    assert lost == ["Pagestream restarts"] * 2


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4408, 4429])
async def test_a_close_that_is_not_final_brings_it_back(gateway: FakeGateway, code: int) -> None:
    gateway.sockets = [(1, [code]), (1, [told("snapshot", 1, "completed")])]
    assert len(await collected(eager(gateway), ["d1"])) == 1


async def test_a_gateway_that_stays_away_ends_the_watching(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [told("snapshot", 1), 1012])]
    with pytest.raises(Unreachable):
        await collected(eager(gateway, patience=0.05), ["d1"])


async def test_a_socket_that_ends_with_its_last_document_is_no_loss_and_no_refusal(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [{"op": "error", "ref": 0, "error": {"code": "document.not_found"}}, 4404])]
    assert [frame["op"] for frame in await collected(eager(gateway), ["d1"])] == ["error"]


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4404])
async def test_a_final_close_is_a_refusal(gateway: FakeGateway, code: int) -> None:
    gateway.sockets = [(1, [told("snapshot", 1), code])]
    with pytest.raises(Refused) as refused:
        await collected(eager(gateway), ["d1"])
    assert refused.value.status == code
    assert refused.value.action


async def test_an_unknown_document_is_told_and_the_others_are_watched_on(gateway: FakeGateway) -> None:
    error = {"op": "error", "ref": 0, "error": {"code": "document.not_found", "message": "There is no such document."}}
    gateway.sockets = [(2, [error, told("snapshot", 1, "completed", "b")])]
    frames = await collected(eager(gateway), ["a", "b"])
    assert [(f["op"], f["document_id"]) for f in frames] == [("error", "a"), ("snapshot", "b")]


async def test_an_error_about_the_connection_is_a_refusal(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [{"op": "error", "error": {"code": "frame.bad", "detail": "Not a frame."}}])]
    with pytest.raises(Refused, match="Not a frame"):
        await collected(eager(gateway), ["d1"])


async def test_the_key_travels_as_a_bearer_header(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents/d1"] = [(200, view())]
    async with eager(gateway, "k-1") as client:
        await client.document("d1")
    assert gateway.requests[0][1]["authorization"] == "Bearer k-1"


async def test_nobody_there_is_unreachable_for_calls_and_for_watching(nobody) -> None:
    async with PagestreamClient(nobody) as client:
        with pytest.raises(Unreachable, match=f"No Pagestream at {nobody} — start it with `pagestream up`"):
            await client.document("d1")
        with pytest.raises(Unreachable):
            await anext(client.watch(["d1"]))


async def test_an_upload_streams_the_file_and_counts_its_bytes(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.http["POST /v1/documents"] = [(202, {"document_id": "d1", "links": {"self": "/v1/documents/d1"}})]
    file = tmp_path / 'käse "1".pdf'
    file.write_bytes(b"%PDF-" + b"x" * 200_000)
    sent: list[tuple[int, int]] = []
    async with eager(gateway) as client:
        accepted = await client.upload(file, progress=lambda done, total: sent.append((done, total)))
    assert (accepted.document_id, accepted.duplicate) == ("d1", False)
    assert accepted.links == {"self": "/v1/documents/d1"}
    assert sent[-1] == (200_005, 200_005)
    assert sorted(sent) == sent
    assert len(sent) > 3
    _, headers, body = gateway.requests[0]
    assert file.read_bytes() in body
    assert int(headers["content-length"]) == len(body)
    assert b"application/pdf" in body
    assert "idempotency-key" not in headers


async def test_the_memory_of_an_upload_does_not_grow_with_the_file(tmp_path: Path, sink) -> None:
    file = tmp_path / "big.bin"
    with file.open("wb") as out:
        out.truncate(64 * 2**20)
    tracemalloc.start()
    async with PagestreamClient(sink) as client:
        assert (await client.upload(file)).document_id == "d1"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


async def test_a_duplicate_is_accepted_as_one(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.http["POST /v1/documents"] = [(200, {"document_id": "d0", "duplicate": True})]
    (tmp_path / "a.txt").write_text("hello")
    async with eager(gateway) as client:
        assert (await client.upload(tmp_path / "a.txt")).duplicate


async def test_a_busy_gateway_is_asked_again_with_the_same_key(gateway: FakeGateway, tmp_path: Path) -> None:
    busy = (503, {"code": "broker.away", "detail": "The log does not answer."})
    gateway.http["POST /v1/documents"] = [busy, busy, (202, {"document_id": "d1"})]
    (tmp_path / "a.txt").write_text("hello")
    async with eager(gateway) as client:
        assert (await client.upload(tmp_path / "a.txt", force=True)).document_id == "d1"
    keys = [headers["idempotency-key"] for _, headers, _ in gateway.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_gateway_that_stays_busy_is_a_refusal_in_the_end(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.http["POST /v1/documents"] = [(503, {"code": "broker.away", "detail": "The log does not answer."})]
    (tmp_path / "a.txt").write_text("hello")
    async with eager(gateway) as client:
        with pytest.raises(Refused, match="The log does not answer"):
            await client.upload(tmp_path / "a.txt")
    assert len(gateway.requests) == 4


async def test_a_problem_document_becomes_a_refusal_with_code_sentence_and_action(gateway: FakeGateway) -> None:
    problem = {"code": "not_retryable", "title": "Conflict", "detail": "Nothing failed here.", "action": "Look at it."}
    gateway.http["POST /v1/documents/d1/retry"] = [(409, problem)]
    async with eager(gateway) as client:
        with pytest.raises(Refused) as refused:
            await client.retry("d1")
    error = refused.value
    assert (error.code, error.sentence, error.action, error.status) == (
        "not_retryable", "Nothing failed here.", "Look at it.", 409,
    )  # fmt: skip


async def test_a_body_that_is_no_problem_document_still_gives_a_sentence(gateway: FakeGateway) -> None:
    gateway.http["GET /v1/documents/d1/chunks"] = [(502, "<html>Bad gateway</html>")]
    async with eager(gateway) as client:
        with pytest.raises(Refused, match="status 502") as refused:
            await client.chunks("d1")
    assert refused.value.code == "http_502"


async def test_each_call_asks_its_own_address(gateway: FakeGateway) -> None:
    gateway.http = {
        "GET /v1/documents": [(200, {"documents": [], "next_cursor": None})],
        "GET /v1/documents/d1/timeline": [(200, {"events": []})],
        "GET /v1/documents/d1/extraction": [(200, {"document_type": "invoice"})],
        "GET /v1/documents/d1/chunks": [(200, {"chunks": []})],
        "GET /v1/documents/d1/text": [(200, {"text": "plain words"})],
        "POST /v1/documents/d1/cancel": [(202, {})],
        "DELETE /v1/documents/d1": [(202, {})],
        "GET /readyz": [(503, {"ready": False})],
    }
    async with eager(gateway) as client:
        assert await client.documents("failed", 5, "c1") == {"documents": [], "next_cursor": None}
        assert await client.timeline("d1") == {"events": []}
        assert (await client.extraction("d1"))["document_type"] == "invoice"
        assert await client.chunks("d1") == {"chunks": []}
        assert await client.text("d1") == "plain words"
        await client.cancel("d1")
        await client.delete("d1")
        assert await client.healthy("/readyz") == (False, {"ready": False})


async def listened(client: PagestreamClient, *targets: Target | str, count: int, **options) -> list[State]:
    """The first `count` states."""
    states = []
    async with client:
        async for state in client.subscribe(*targets, **options):
            states.append(state)
            if len(states) == count:
                break
    return states


async def test_documents_jobs_and_a_feed_share_one_socket(gateway: FakeGateway) -> None:
    job = {"op": "snapshot", "job_id": "job-abcd", "epoch": "e1", "version": 1, "document": {"status": "running"}}
    rows = {"op": "snapshot", "feed": "documents", "epoch": "e1", "version": 1, "documents": []}
    gateway.sockets = [(3, [told("snapshot", 1), job, rows])]
    states = await listened(eager(gateway), "d1", "job-abcd", DOCUMENTS, count=3)
    assert [state.target.name for state in states] == ["d1", "job-abcd", "documents"]
    asked = [{name: value for name, value in frame.items() if name not in ("op", "ref")} for frame in
             gateway.subscribed[0]]  # fmt: skip
    assert asked == [{"document_id": "d1"}, {"job_id": "job-abcd"}, {"feed": "documents"}]


async def test_who_resumes_is_told_that_nothing_was_missed(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [{"op": "current", "ref": 0, "document_id": "d1", "epoch": "e1", "version": 5}])]
    (state,) = await listened(eager(gateway), "d1", have={"d1": ("e1", 5)}, count=1)
    assert (state.status, state.view, state.position) == ("live", None, ("e1", 5))


async def test_a_slow_reader_gets_the_newest_state_and_none_in_between(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [told("snapshot", 1), told("update", 2), told("update", 3), told("update", 4)])]
    client = eager(gateway)
    async with client:
        first = client.subscribe("d1")
        assert (await anext(first)).position.version >= 1
        second = client.subscribe("d1")
        while (state := await anext(second)).position.version < 4:
            pass
        assert (await anext(first)).view == state.view
        await first.aclose()
        await second.aclose()
    assert len(gateway.protocols) == 1


async def test_waiting_gives_the_view_of_the_end(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [told("snapshot", 1), told("update", 2, "failed")])]
    async with eager(gateway) as client:
        assert (await client.wait("d1"))["status"] == "failed"


@pytest.mark.parametrize("last", [
    {"op": "error", "ref": 0, "error": {"code": "document.not_found", "message": "No such document."}},
    {"op": "deleted", "document_id": "d1", "epoch": "e1", "version": 9},
])  # fmt: skip
async def test_waiting_for_what_is_not_there_is_refused(gateway: FakeGateway, last) -> None:
    gateway.sockets = [(1, [last])]
    async with eager(gateway) as client:
        with pytest.raises(Refused):
            await client.wait("d1")


async def test_where_no_websocket_gets_through_event_streams_carry_the_same_frames(gateway: FakeGateway) -> None:
    gateway.blocks_sockets = True
    gateway.streams["/v1/documents/d1/live"] = [told("snapshot", 1), told("update", 2, "completed", filename="\u2028")]
    lost = []
    async with eager(gateway, on_lost=lambda reason, _: lost.append(reason)) as client:
        states = [state async for state in client.watch(["d1"])]
        assert [state.position.version for state in states][-1] == 2
        assert states[-1].view
        assert states[-1].view["filename"] == "\u2028"
    assert len(lost) == 2


async def test_an_unknown_document_over_an_event_stream_is_refused_alone(gateway: FakeGateway) -> None:
    gateway.blocks_sockets = True
    gateway.streams["/v1/documents/d1/live"] = [told("snapshot", 1, "completed")]
    async with eager(gateway) as client:
        endings = {state.target.name: state.ending async for state in client.watch(["d1", "d2"])}
    assert endings == {"d1": "completed", "d2": "refused"}


async def test_a_closed_client_tells_its_readers(gateway: FakeGateway) -> None:
    gateway.sockets = [(1, [told("snapshot", 1)])]
    async with eager(gateway) as client:
        states = client.subscribe("d1")
        await anext(states)
    with pytest.raises(Unreachable):
        await anext(states)
