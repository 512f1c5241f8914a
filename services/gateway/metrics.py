"""Prometheus: what this gateway has counted, and what the database knows of everybody else."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.metrics_core import Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.frames import View
from services.gateway.sockets import Sockets
from services.gateway.sse import Streams
from shared.mongo import Row

__all__ = ["CONTENT_TYPE", "Counted", "Knowledge", "Metrics"]

_LATENCY: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
_REQUESTS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0)  # seconds


class Knowledge(NamedTuple):
    """What the database knows: rows of folds, of stages and of jobs by stage; failed documents by code."""

    folds: list[Row]
    stages: dict[str, Row]
    stage_jobs: list[Row]
    failures: dict[str, int]


class Metrics:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "pagestream_http_request_seconds",
            "Requests by route and status, until the last byte.",
            ("method", "route", "status"),
            buckets=_REQUESTS,
            registry=self.registry,
        )
        self._latency = Histogram(
            "pagestream_fact_to_frame_seconds",
            "From a fact (by its author's clock) to the frame about it, for documents that somebody watches.",
            buckets=_LATENCY,
            registry=self.registry,
        )
        self._frames = Counter(
            "pagestream_changes_delivered", "Changes that went to at least one watcher.", registry=self.registry
        )

    def delivered(self, view: View) -> None:
        """A change was handed to its watchers; one that a tick made has no time of its own."""
        self._frames.inc()
        if view["version"] % 1_000_000 == 0:
            self._latency.observe(max(0.0, time.time() - datetime.fromisoformat(view["updated_at"]).timestamp()))

    def exposition(self, sockets: Sockets, streams: Streams, known: Knowledge | None) -> bytes:
        """Everything in Prometheus' text format; `known` is None while the database is away."""
        now = CollectorRegistry()
        now.register(_Families([*_of_connections(sockets, streams), *(_of_knowledge(known) if known else ())]))
        return generate_latest(self.registry) + generate_latest(now)


class _Families:
    """Families that are computed already, as a registry asks for them."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_connections(sockets: Sockets, streams: Streams) -> Iterator[Metric]:
    yield _gauge("connections", "Open sockets and event streams.", "kind",
                 {"socket": len(sockets.open), "stream": len(streams.open)})  # fmt: skip
    waiting = [socket.outbox for socket in sockets.slow]
    yield GaugeMetricFamily("pagestream_outbox_frames", "Frames that wait for slow readers.", sum(map(len, waiting)))
    merged = sockets.merged + streams.merged
    yield CounterMetricFamily("pagestream_frames_merged", "Frames that a newer one replaced before they went.", merged)


def _of_knowledge(known: Knowledge) -> Iterator[Metric]:
    yield _gauge("fold_lag_records", "How far a fold is behind the log.", "fold",
                 {row["_id"]: row.get("lag") or 0 for row in known.folds})  # fmt: skip
    yield _gauge("fold_halted", "1 where a fold has met what it must not skip.", "fold",
                 {row["_id"]: int(bool(row.get("halted"))) for row in known.folds})  # fmt: skip
    for name, what in (("slots", "Places for slices of live workers."), ("busy", "Slices that are being worked on.")):
        yield _gauge(f"stage_{name}", what, "stage", {stage: row[name] for stage, row in known.stages.items()})
    yield _gauge("documents_failed", "Documents that have failed, by code.", "code", known.failures)
    jobs = GaugeMetricFamily("pagestream_stage_jobs", "Stages of documents, by status.", labels=("stage", "status"))
    took = GaugeMetricFamily(
        "pagestream_stage_seconds", "Mean seconds from start to end of the completed ones.", labels=("stage",)
    )
    for row in known.stage_jobs:
        jobs.add_metric((row["_id"]["type"], row["_id"]["status"]), row["count"])
        if row["_id"]["status"] == "completed" and row["seconds"] is not None:
            took.add_metric((row["_id"]["type"],), row["seconds"])
    yield from (jobs, took)


def _gauge(name: str, what: str, label: str, values: dict[str, Any]) -> Metric:
    family = GaugeMetricFamily(f"pagestream_{name}", what, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family


class Counted:
    """Times every HTTP request, by the route's template and never by the path: paths hold ids."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        status = 500
        began = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            labels = (scope["method"], route, str(status))
            self._metrics.requests.labels(*labels).observe(time.perf_counter() - began)
