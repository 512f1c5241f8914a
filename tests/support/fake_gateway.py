"""A gateway to talk to: it answers as docs/protocol.md says, from scripts the tests write."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

Frame = dict[str, Any]


def view(document_id: str = "d1", status: str = "processing", **changes: Any) -> dict[str, Any]:
    """A document view with sensible values."""
    return {
        "document_id": document_id, "filename": f"{document_id}.pdf", "status": status, "percent": 40.0,
        "partial": False, "message": {"code": "ocr.pages_done", "params": {}, "text": "Recognised page 2 of 5"},
        "eta_seconds": None, "pages": {"total": 5, "done": 2, "failed": []}, "stages": {}, "error": None,
        "epoch": "e1", "version": 1, "uploaded_at": "2025-03-17T09:00:00Z", **changes,
    }  # fmt: skip


def told(op: str, version: int, status: str = "processing", document_id: str = "d1", epoch: str = "e1",
         **changes: Any) -> Frame:  # fmt: skip
    """A frame about a document, as the socket carries it."""
    document = view(document_id, status, epoch=epoch, version=version, **changes)
    return {"op": op, "document_id": document_id, "epoch": epoch, "version": version, "document": document}


class FakeGateway:
    """`sockets` holds a script per connection: how many subscriptions to await, then frames to send; a number closes.
    Without a script left it is not ready: 503.

    With `blocks_sockets` it answers like a proxy that knows none; `streams` holds the frames of event streams by path.

    `http` maps "METHOD /path" to the answers given one after the other (the last one stays).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.forget()

    def forget(self) -> None:
        self.sockets: list[tuple[int, list[Frame | int]]] = []
        self.blocks_sockets = False
        self.streams: dict[str, list[Frame]] = {}
        self.subscribed: list[list[Frame]] = []  # per connection
        self.protocols: list[list[str]] = []
        self.http: dict[str, list[tuple[int, Any]]] = {}
        self.requests: list[tuple[str, dict[str, str], bytes]] = []  # what, headers, body

    async def answer(self, request: Request) -> Response:
        what = f"{request.method} {request.url.path}"
        self.requests.append((what, dict(request.headers), await request.body()))
        if request.url.path in self.streams:
            events = "".join(
                f"id: 1\ndata: {json.dumps(f, ensure_ascii=False)}\n\n" for f in self.streams[request.url.path]
            )
            return Response(events, media_type="text/event-stream")
        answers = self.http.get(what, [(404, {"code": "document.not_found", "detail": "There is no such document."})])
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(body, str):
            return Response(body, status_code=status, media_type="text/plain")
        return JSONResponse(body, status_code=status, headers={"Retry-After": "0"})

    async def live(self, socket: WebSocket) -> None:
        self.protocols.append(list(socket.scope["subprotocols"]))
        if self.blocks_sockets:
            await socket.send_denial_response(Response("<html>Upgrade refused</html>", status_code=400))
            return
        if not self.sockets:
            await socket.send_denial_response(JSONResponse({"code": "starting"}, status_code=503))
            return
        expected, script = self.sockets.pop(0)
        await socket.accept(subprotocol="pagestream.v1")
        self.subscribed.append([json.loads(await socket.receive_text()) for _ in range(expected)])
        for step in script:
            if isinstance(step, int):
                await socket.close(step)
                return
            await socket.send_text(json.dumps(step))
        await socket.receive()  # until the client leaves
