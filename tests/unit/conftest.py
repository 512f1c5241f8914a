"""What unit tests share: servers for a client to talk to, and a cache for the model."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from tests.support.fake_gateway import FakeGateway


@pytest.fixture(scope="session")
def _server() -> Iterator[FakeGateway]:
    listening = socket.create_server(("127.0.0.1", 0))
    fake = FakeGateway(f"http://127.0.0.1:{listening.getsockname()[1]}")
    methods = ["GET", "POST", "DELETE"]
    app = Starlette(routes=[WebSocketRoute("/v1/live", fake.live), Route("/{path:path}", fake.answer, methods=methods)])
    config = uvicorn.Config(app, ws="websockets-sansio", lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()  # it listens already: whoever connects before it runs waits in the backlog
    yield fake
    server.should_exit = True
    thread.join(timeout=5)
    assert not thread.is_alive()
    listening.close()


@pytest.fixture
def gateway(_server: FakeGateway) -> FakeGateway:
    """One server for all tests, with nothing left of the test before."""
    _server.forget()
    return _server


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


class _Sink(BaseHTTPRequestHandler):
    """Reads an upload away in small slices and accepts it."""

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.send_response(202)
        self.end_headers()
        self.wfile.write(b'{"document_id": "d1"}')

    def log_message(self, *_: object) -> None:
        """No lines among the test's own."""


@pytest.fixture
def sink() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the first test to need the model fills."""
    return tmp_path_factory.mktemp("model-cache")
