"""The served documents against the server: OpenAPI by generated requests, AsyncAPI by its examples and real frames."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from websockets.asyncio.client import connect

from tests.support.gateway import GatewayProcess, Hand

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

EXAMPLES = 12  # requests for each operation
WAITS = frozenset({"wait"})  # parameters that would only make a test wait


async def test_no_request_that_the_openapi_document_allows_ends_in_a_500(gateway: GatewayProcess, hand: Hand) -> None:
    document_id = str(uuid.uuid4())
    await hand.put(document_id, 1)
    await hand.healthy()
    schema = await asyncio.to_thread(schemathesis.openapi.from_url, f"{gateway.url}/openapi.json")
    tried = await asyncio.to_thread(lambda: [attack(found.ok(), document_id) for found in schema.get_all_operations()])
    assert len(tried) > 25


def attack(operation: Any, document_id: str) -> str:
    """Call one operation with what its schema allows, now and then on a document that there is."""

    @seed(20261124)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(), known=st.booleans())
    def check(case: Any, known: bool) -> None:
        if known and "document_id" in (case.path_parameters or {}):
            case.path_parameters["document_id"] = document_id
        for name in WAITS & (case.query or {}).keys():
            del case.query[name]
        answer = case.call(timeout=10)
        if operation.label == "GET /readyz":  # nobody is a projector here, which it says in time
            return
        assert answer.status_code < 500, f"{operation.label}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code >= 400 and operation.method.upper() != "HEAD":
            assert answer.json().keys() >= {"type", "title", "status", "detail", "code", "action"}

    check()
    return str(operation.label)


async def test_the_openapi_document_is_valid_and_names_refusals(gateway: GatewayProcess) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        document = (await http.get("/openapi.json")).json()
        validate(document)
        for operations in document["paths"].values():
            for operation in operations.values():
                assert "application/problem+json" in operation["responses"]["default"]["content"]
        refused = (await http.get("/v1/documents", params={"limit": 0})).json()
        jsonschema.validate(refused, document["components"]["schemas"]["Problem"])


async def messages_of(gateway: GatewayProcess) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        document = (await http.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    found: dict[str, Any] = document["components"]["messages"]
    return found


async def test_every_example_of_the_socket_is_what_its_schema_says(gateway: GatewayProcess) -> None:
    for message in (await messages_of(gateway)).values():
        assert message["examples"]
        for example in message["examples"]:
            jsonschema.validate(example["payload"], message["payload"])


async def test_every_request_of_the_examples_is_answered_as_the_document_says(
    gateway: GatewayProcess, hand: Hand
) -> None:
    messages = await messages_of(gateway)
    (document_id,) = {
        e["payload"]["document_id"] for e in messages["subscribe"]["examples"] if "document_id" in e["payload"]
    }
    await hand.put(document_id, 31_000_004)
    asked = [e["payload"] for name in ("subscribe", "unsubscribe") for e in messages[name]["examples"]]
    heard = {}
    async with connect(gateway.live, subprotocols=None) as live, asyncio.timeout(20):
        for request in asked:
            await live.send(json.dumps(request))
            frame = json.loads(await live.recv())
            heard[request["ref"]] = frame
            jsonschema.validate(frame, messages[frame["op"]]["payload"])
        await hand.change(document_id, 32_000_000)  # the feed still watches it
        frame = json.loads(await live.recv())
        jsonschema.validate(frame, messages["update"]["payload"])
        await hand.delete(document_id, 33_000_000)
        jsonschema.validate(json.loads(await live.recv()), messages["deleted"]["payload"])
    assert {ref: frame["op"] for ref, frame in heard.items()} == {
        1: "snapshot", 2: "error", 3: "snapshot", 4: "unsubscribed",
    }  # fmt: skip
