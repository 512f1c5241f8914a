"""What the tests of rights say to a gateway that asks for keys, and what they hear."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.support.gateway import GatewayProcess, Hand, environment_of
from tests.support.infrastructure import Infrastructure
from tests.support.websocket import new_id

EVENTS = {"Accept": "text/event-stream"}


READS = ("", "/pages", "/pages/1", "/text", "/chunks", "/extraction", "/file", "/timeline", "/live")
CALLS = [*(("GET", path) for path in READS), ("POST", "/retry"), ("POST", "/cancel"), ("DELETE", "")]
OTHER = "https://desk.example"


def settings_of(broker: Infrastructure, folder: Path) -> dict[str, str]:
    """As talkative as can be, so that what must stay out of logs is looked for in all there is."""
    chatty = {"PAGESTREAM_ORIGINS": json.dumps([OTHER]), "PAGESTREAM_LOG_LEVEL": "DEBUG"}
    return {**environment_of(broker, folder), **chatty}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def a_document(hand: Hand, tenant: str = "default") -> str:
    document_id = new_id()
    await hand.publish(await hand.put(document_id, 1, tenant=tenant), tenant=tenant)
    return document_id


async def a_token(http: httpx.AsyncClient, document_id: str, key: str | None = None, **wish: Any) -> dict[str, Any]:
    asked = {"document_id": document_id, **wish}
    made = await http.post("/v1/tokens", json=asked, headers=bearer(key) if key else {})
    assert made.status_code == 201, made.text
    token: dict[str, Any] = made.json()
    return token


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def live_of(gateway: GatewayProcess, document_id: str, query: str = "") -> str:
    return gateway.live.replace("/live", f"/documents/{document_id}/live{query}")
