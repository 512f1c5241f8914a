"""A gateway process on a real broker and database, and a projector's hand to feed it."""

import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson

from shared.document import upload_info
from shared.document.state import TERMINAL
from shared.document.upload_info import UploadInfo
from shared.events.document import utcnow
from shared.kafka import topics
from shared.kafka.producer import Producer
from shared.runtime.settings import SharedSettings
from shared.storage import mongo
from shared.storage.mongo import Mongo
from tests.support.infrastructure import PARTITIONS, REPOSITORY


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class GatewayProcess:
    """`python -m services.gateway` as a child."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.live = f"ws://127.0.0.1:{self.port}/v1/live"
        self.log = log
        self._environment = {**os.environ, **environment, "PAGESTREAM_GATEWAY_PORT": str(self.port)}
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The pid of the running child."""
        assert self._child
        return self._child.pid

    async def start(self, within: float = 60) -> None:
        """Start it and wait until it answers; what does not in time is ended."""
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.gateway", env=self._environment, cwd=REPOSITORY, stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(within), httpx.AsyncClient() as http:
                await self._answers(http)
        except BaseException:
            await self.stop(signal.SIGKILL)
            raise

    async def _answers(self, http: httpx.AsyncClient) -> None:
        while True:
            assert self._child
            assert self._child.returncode is None, self.log.read_text()
            with suppress(httpx.TransportError):
                if (await http.get(f"{self.url}/readyz")).json()["checks"]["updates"] == "ok":
                    return
            await asyncio.sleep(0.05)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and return its exit code."""
        assert self._child
        if self._child.returncode is None:
            self._child.send_signal(number)
        async with asyncio.timeout(30):
            return await self._child.wait()


@asynccontextmanager
async def serving(environment: dict[str, str], log: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway during the body, which then ends in order and has no error in its log."""
    process = GatewayProcess(environment, log)
    await process.start()
    try:
        yield process
    except BaseException:
        await process.stop()
        raise
    assert await process.stop() == 0
    assert '"level": "error"' not in process.log.read_text()


class Hand:
    """Writes what the projector would write, by hand."""

    def __init__(self, database: Mongo, producer: Producer) -> None:
        self.mongo = database
        self.producer = producer
        self.generation = ""

    async def begin(self, generation: str) -> None:
        """A new generation goes live."""
        await self.mongo.create_projections(generation)
        pointer = {"generation": generation}
        await self.mongo.generations.update_one({"_id": "live"}, {"$set": pointer}, upsert=True)
        self.generation = generation

    async def announce_epoch(self) -> None:
        """Tell the gateways that another generation is live."""
        await self.producer.send(topics.UPDATES, orjson.dumps({"epoch": self.generation}), key="epoch")

    async def healthy(self, **changes: Any) -> None:
        """The projector's word about itself."""
        row = {"lag": 0, "halted": None, "caught_up": True, "at": utcnow(), **changes}
        await self.mongo.control["status"].update_one({"_id": "progress"}, {"$set": row}, upsert=True)

    async def put(
        self, document_id: str, version: int, *, row: dict[str, Any] | None = None, tenant: str = "default", **view: Any
    ) -> dict[str, Any]:
        """Write a document's row at `version` and nothing else."""
        shown = view_of(document_id, self.generation, version, **view)
        fields = {
            "tenant": tenant,
            "version": version,
            "deleted": False,
            "view": shown,
            **UploadInfo.of(shown).to_row(),
        }
        uploaded_at = datetime.fromisoformat(shown["uploaded_at"])
        done = await self.mongo.projection("documents", self.generation).update_one(
            {"_id": document_id}, {"$set": {**fields, "uploaded_at": uploaded_at, **(row or {})}}, upsert=True
        )
        if done.upserted_id:
            await self._count(tenant, shown)
        return shown

    async def _count(self, tenant: str, shown: dict[str, Any]) -> None:
        """Add a new document to its tenant's totals."""
        counts = {
            "bytes": shown["bytes"],
            "unfinished": int(shown["status"] not in TERMINAL),
            f"pages/{utcnow().date()}": shown["pages"]["total"] or 0,
        }
        await self.mongo.projection(mongo.TOTALS, self.generation).update_one(
            {"_id": tenant}, {"$inc": {f"counts.{name}": number for name, number in counts.items()}}, upsert=True
        )

    async def publish(self, view: dict[str, Any], *, tenant: str = "default") -> None:
        """Tell the gateways of a view."""
        document = upload_info.without(view)
        body = {name: view[name] for name in ("document_id", "epoch", "version")}
        value = orjson.dumps({**body, "document": document})
        headers = [(topics.TENANT_HEADER, tenant.encode())]
        if view["status"] in TERMINAL:
            headers.append((topics.ENDED_HEADER, b""))
        await self.producer.send(topics.UPDATES, value, key=view["document_id"], headers=headers)

    async def change(self, document_id: str, version: int, **view: Any) -> dict[str, Any]:
        """Write and tell, as the projector does."""
        shown = await self.put(document_id, version, **view)
        await self.publish(shown)
        return shown

    async def delete(self, document_id: str, version: int) -> None:
        """The document is deleted."""
        await self.mongo.projection("documents", self.generation).update_one(
            {"_id": document_id}, {"$set": {"deleted": True, "version": version, "view": {"status": "deleted"}}}
        )
        body = {"document_id": document_id, "epoch": self.generation, "version": version, "deleted": True}
        headers = [(topics.TENANT_HEADER, b"default"), (topics.ENDED_HEADER, b"")]
        await self.producer.send(topics.UPDATES, orjson.dumps(body), key=document_id, headers=headers)


def view_of(document_id: str, epoch: str, version: int, **changes: Any) -> dict[str, Any]:
    """A whole document view."""
    stage = {"status": "running", "percent": 10.0, "attempt": 1, "retry_count": 0, "message": None, "error": None}
    at = datetime.now(UTC).isoformat()
    return {
        "document_id": document_id,
        "filename": "lease.pdf",
        "batch": None,
        "tags": [],
        "content_type": "application/pdf",
        "bytes": 5,
        "status": "processing",
        "percent": 10.0,
        "partial": False,
        "message": {"code": "ocr.pages_done", "params": {"done": 1, "total": 4}, "text": "Recognised page 1 of 4"},
        "eta_seconds": None,
        "pages": {"total": 4, "done": 1, "failed": []},
        "stages": {"ocr": stage, "chunk": stage, "extract": stage},
        "error": None,
        "epoch": epoch,
        "version": version,
        "uploaded_at": at,
        "updated_at": at,
        "completed_at": None,
        **changes,
    }


class Addresses(Protocol):
    """Where a broker and a database are."""

    @property
    def kafka(self) -> str: ...
    @property
    def mongo(self) -> str: ...


def environment_of(running: Addresses, folder: Path) -> dict[str, str]:
    """The settings of a gateway with databases and a store of its own."""
    name = uuid.uuid4().hex[:12]
    return {
        "PAGESTREAM_KAFKA": running.kafka,
        "PAGESTREAM_MONGO": running.mongo,
        "PAGESTREAM_STORE": f"file://{folder / 'blobs'}",
        "PAGESTREAM_SEARCH": str(folder / "search"),
        "PAGESTREAM_DATABASE": f"gw_{name}",
        "PAGESTREAM_CONTROL_DATABASE": f"gw_{name}_control",
        "PAGESTREAM_PARTITIONS": str(PARTITIONS),
    }


@asynccontextmanager
async def hand_of(environment: dict[str, str]) -> AsyncIterator[Hand]:
    """A hand on the databases and topics of `environment`, with a first generation live."""
    values = {name.removeprefix("PAGESTREAM_").lower(): value for name, value in environment.items()}
    settings = SharedSettings.model_validate(values)
    async with mongo.connect(settings) as database, Producer.connect(settings.kafka) as producer:
        hand = Hand(database, producer)
        await hand.begin("g1")
        await hand.healthy()
        yield hand
        await database.client.drop_database(settings.database)
        await database.client.drop_database(settings.control_database)
