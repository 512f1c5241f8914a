"""Small bodies are held to a size and a time."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from services.gateway.http import body_limit, responses


class Said(BaseModel):
    """A body."""

    title: str


@pytest.fixture
def application() -> FastAPI:
    router = APIRouter(route_class=body_limit.SmallBody)

    @router.post("/say")
    async def say(said: Said) -> dict[str, str]:
        return {"heard": said.title}

    app = FastAPI()
    app.include_router(router)
    responses.install(app)
    return app


async def post(app: Any, *parts: bytes, then_silent: bool = False) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    waiting: list[bytes] = list(parts)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting) or then_silent}
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/say", "raw_path": b"/say", "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json")], "http_version": "1.1", "scheme": "http", "client": None,
        "server": ("h", 80), "asgi": {"version": "3.0"},
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


async def test_a_body_is_read_whole_however_it_comes(application: FastAPI) -> None:
    assert await post(application, b'{"ti', b'tle": ', b'"x"}') == (200, b'{"heard":"x"}')


async def test_a_body_that_does_not_come_is_not_waited_for(
    application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "_WITHIN", 0.05)
    status, body = await asyncio.wait_for(post(application, b'{"title": ', then_silent=True), 5)
    assert (status, b"body_too_late" in body) == (408, True)


async def test_a_large_body_is_refused_as_soon_as_it_is_too_large(application: FastAPI) -> None:
    half = b"x" * (body_limit.MAX_BYTES // 2 + 1)
    status, body = await asyncio.wait_for(post(application, half, half, then_silent=True), 5)
    assert (status, b"body_too_large" in body) == (413, True)
