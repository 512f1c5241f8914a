"""One document that a thousand sockets watch: changes written straight to the topic `updates`, until the last frame.

Needs Go and the load generator `wsload` (a client in Python would take the core that the gateway needs). With
`--centrifugo PROGRAM` (from `go install github.com/centrifugal/centrifugo/v6@latest`) the same load goes through
Centrifugo in turn, alone and beside two processes that take all they get of the cores. Our changes come through Kafka,
Centrifugo's straight into it by its HTTP API.

    python -m benchmarks.fanout [--wsload ../shared/tools/wsload] [--sockets 1000] [--stuck 200] [--many 5000]
        [--centrifugo PROGRAM]
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import orjson
from websockets.asyncio.client import connect

from benchmarks.idle import memory
from benchmarks.latency import begin
from benchmarks.system import system
from pagestream import PagestreamClient
from shared.document import upload_info
from shared.kafka import topics
from shared.kafka.producer import Producer
from stack import ports
from stack.ports import Wanted
from stack.system import System

PER_SECOND: Final = 50
SECONDS: Final = 8
P99_MS: Final = 40.0
MEGABYTES: Final = 200  # of the gateway with many sockets


class Document:
    """A document that changes as often as we say so, without a fact and without the database."""

    def __init__(self, view: dict[str, Any], producer: Producer) -> None:
        self.view = view
        self._producer = producer

    async def change(self) -> None:
        """One update, which carries the moment it was written as `t`, in nanoseconds."""
        self.view["version"] += 1
        document = upload_info.without({**self.view, "message": message()})
        position = {name: self.view[name] for name in ("document_id", "epoch", "version")}
        value = orjson.dumps({**position, "document": document})
        key, headers = self.view["document_id"], [(topics.TENANT_HEADER, b"default")]
        await self._producer.send(topics.UPDATES, value, key=key, headers=headers)

    async def keep_changing(self) -> None:
        """PER_SECOND changes a second, for ever."""
        await regularly(self.change)


async def regularly(change: Callable[[], Awaitable[None]]) -> None:
    """PER_SECOND calls a second, for ever, whatever each takes."""
    began, count = time.perf_counter(), 0
    while True:
        await change()
        count += 1
        await asyncio.sleep(max(0.0, began + count / PER_SECOND - time.perf_counter()))


def message() -> dict[str, Any]:
    """A document's message, with the moment at which it was made."""
    return {"code": "ocr.working", "params": {"t": time.time_ns()}, "text": "working"}


class Load:
    """`wsload`, built into a temporary folder, and the words that it is given about one server."""

    def __init__(self, program: Path, *words: str) -> None:
        self._program = program
        self._words = words

    @classmethod
    def of_gateway(cls, program: Path, gateway: str, document_id: str) -> "Load":
        """Sockets that watch a document."""
        subscribe = orjson.dumps({"op": "subscribe", "ref": 1, "document_id": document_id}).decode()
        return cls(program, "-url", live(gateway, "/v1/live"), "-sub", subscribe, "-ready", '"ref":1')

    async def listen(self, sockets: int, seconds: int) -> str:
        """The report of the load generator about `sockets` that listen for `seconds`."""
        words = [*self._words, "-n", str(sockets)]
        process = await asyncio.create_subprocess_exec(
            self._program, *words, "-d", f"{seconds}s", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out.decode()


class Centrifugo:
    """Centrifugo with one channel, to which changes of the same size are published."""

    def __init__(self, url: str, view: dict[str, Any]) -> None:
        self._url = url
        self._view = view

    @classmethod
    @asynccontextmanager
    async def started(cls, program: Path, view: dict[str, Any]) -> AsyncIterator["Centrifugo"]:
        """A process of its own, with its defaults, open to everybody on this machine."""
        port = ports.choose({"centrifugo": Wanted(0, "Centrifugo", "")})["centrifugo"]
        opened = {f"CENTRIFUGO_{name}": "true" for name in ("CLIENT_INSECURE", "HTTP_API_INSECURE", "HEALTH_ENABLED")}
        environment = {**os.environ, **opened, "CENTRIFUGO_HTTP_SERVER_PORT": str(port)}
        process = await asyncio.create_subprocess_exec(program, env=environment, stderr=asyncio.subprocess.DEVNULL)
        try:
            async with asyncio.timeout(20), httpx.AsyncClient() as http:
                while True:
                    with suppress(httpx.TransportError):
                        if (await http.get(f"http://127.0.0.1:{port}/health")).status_code == httpx.codes.OK:
                            break
                    await asyncio.sleep(0.1)
            yield cls(f"http://127.0.0.1:{port}", view)
        finally:
            process.terminate()
            await process.wait()

    def load(self, program: Path) -> Load:
        """Sockets that are subscribed to the channel; they answer its pings."""
        frames = r'{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"document"}}'
        words = ("-url", live(self._url, "/connection/websocket"), "-sub", frames, "-ready", '"id":2', "-pong", "{}")
        return Load(program, *words)

    async def keep_changing(self) -> None:
        """PER_SECOND changes a second, for ever."""
        async with httpx.AsyncClient(base_url=self._url) as http:

            async def change() -> None:
                data = {"op": "update", "document": {**self._view, "message": message()}}
                published = await http.post("/api/publish", content=orjson.dumps({"channel": "document", "data": data}))
                published.raise_for_status()

            await regularly(change)


async def compare(wanted: argparse.Namespace, program: Path, gateway: Load, document: Document) -> None:
    """The same load through the gateway and through Centrifugo in turn, on calm and on shared cores."""
    async with Centrifugo.started(wanted.centrifugo, document.view) as other:
        for title, busy in (("calm", 0), ("calm", 0), ("shared cores", 2), ("shared cores", 2)):
            for name, load, changing in (
                ("gateway", gateway, document.keep_changing()),
                ("Centrifugo", other.load(program), other.keep_changing()),
            ):
                task = asyncio.create_task(changing)
                with spinning(busy):
                    report(f"{title}: {name}", wanted.sockets, await load.listen(wanted.sockets, SECONDS))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


@contextmanager
def spinning(count: int) -> Iterator[None]:
    """Beside so many processes that compute for as long as the body runs."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def live(url: str, path: str) -> str:
    """The address of a socket."""
    return url.replace("http", "ws", 1) + path


async def measure(wanted: argparse.Namespace) -> None:
    """Print one line for each promise."""
    with tempfile.TemporaryDirectory(prefix="pagestream-wsload-") as folder:
        program = Path(folder) / "wsload"
        build = await asyncio.create_subprocess_exec("go", "build", "-o", program, ".", cwd=wanted.wsload)
        if await build.wait():
            raise SystemExit("wsload could not be built")
        async with system() as (running, client), Producer.connect(running.running.kafka) as producer:
            document = await watched(client, producer)
            load = Load.of_gateway(program, str(running.running.gateway), document["document_id"])
            if wanted.centrifugo:
                await compare(wanted, program, load, Document(document, producer))
                return
            changing = asyncio.create_task(Document(document, producer).keep_changing())
            report(f"{wanted.sockets} sockets", wanted.sockets, await load.listen(wanted.sockets, SECONDS))
            async with AsyncExitStack() as stuck:
                for _ in range(wanted.stuck):  # they subscribe and never read again
                    await stuck.enter_async_context(stalled(str(running.running.gateway), document["document_id"]))
                title = f"{wanted.sockets} beside {wanted.stuck} that never read"
                report(title, wanted.sockets, await load.listen(wanted.sockets, SECONDS))
            changing.cancel()
            listening = asyncio.create_task(load.listen(wanted.many, 15))
            await all_open(client, wanted.many)
            print(f"gateway with {wanted.many} sockets: {gateway_memory(running):.0f} MB  (wanted: {MEGABYTES} MB)")
            await listening


async def watched(client: PagestreamClient, producer: Producer) -> dict[str, Any]:
    """The view of a new document whose stages no worker runs."""
    document_id = str(uuid.uuid4())
    for fact in begin(document_id, 1):
        await producer.append(fact)
    async with asyncio.timeout(10):
        while (view := await client.document(document_id))["version"] < 3_000_000:  # until all three are folded
            await asyncio.sleep(0.05)
    return dict(view)


def stalled(gateway: str, document_id: str) -> Any:
    """A socket that is sent everything and reads nothing."""
    url = f"{gateway}/v1/documents/{document_id}/live".replace("http", "ws", 1)
    return connect(url, proxy=None, compression=None, max_queue=1, ping_interval=None, close_timeout=0)


async def all_open(client: PagestreamClient, count: int) -> None:
    """Wait until the gateway holds so many sockets."""
    async with asyncio.timeout(60):
        while (await client.healthy("/v1/system"))[1]["connections"]["sockets"] < count:
            await asyncio.sleep(0.1)


def gateway_memory(running: System) -> float:
    """Megabytes of the gateway."""
    return sum(size for name, size in memory(running.running.pid) if name.startswith("services.gateway"))


def report(title: str, sockets: int, said: str) -> None:
    """One line of what arrived and how late."""
    found = re.search(r"received (\d+) .* p50 ([\d.]+) p99 ([\d.]+)", said)
    if found is None:
        raise SystemExit(f"wsload said: {said}")
    got, (p50, p99) = int(found[1]), map(float, found.groups()[1:])
    share = got / (sockets * PER_SECOND * SECONDS)
    print(f"{title}: {share:.1%} of the frames, p50 {p50:.1f} ms, p99 {p99:.1f} ms (wanted: {P99_MS:g})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wsload", type=Path, default=Path("../shared/tools/wsload"))
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--stuck", type=int, default=200)
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--centrifugo", type=Path, help="compare with this program, and measure nothing else")
    wanted = parser.parse_args()
    if shutil.which("go") is None or not wanted.wsload.is_dir():
        raise SystemExit("it needs Go on PATH and the folder of wsload (--wsload)")
    asyncio.run(measure(wanted))


if __name__ == "__main__":
    main()
