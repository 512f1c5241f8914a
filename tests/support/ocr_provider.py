"""An OCR service as `PAGESTREAM_OCR_ENGINE=http` asks it: a real server on this machine that answers as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]
WORDS = [{"text": "good", "box": [1, 2, 30, 12], "confidence": 91.5}, {"text": "morning", "box": [35, 2, 80, 12]}]
READ = {"lines": [{"words": WORDS}, {"opens": True, "words": [{"text": "all", "box": [1, 20, 30, 32]}]}]}


def says(status: int, body: Any = None, **headers: str) -> Answer:
    """An answer in JSON, or whatever bytes are given."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return answer


def hangs_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


class Service:
    """What was asked, and what is answered, in turn; the last answer again and again."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [says(200, READ)]
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.times: list[float] = []
        self.over = threading.Event()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service.times.append(time.monotonic())
                body = self.rfile.read(int(self.headers["content-length"]))
                service.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                answers = service.answers
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/read"

    def never_answers(self, request: BaseHTTPRequestHandler) -> None:
        self.over.wait(30)


@contextmanager
def serving() -> Iterator[Service]:
    """A service that runs."""
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        service.server.shutdown()
        thread.join()
        service.server.server_close()
