"""Prometheus: what this gateway has counted, and what the database knows of everybody else."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import accumulate
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.metrics_core import Metric

from services.gateway.live.frames import View
from services.gateway.live.sse import EventStreams
from services.gateway.live.websocket import WebSockets
from shared.document.totals import STAGE_SECONDS, Totals
from shared.events.envelope import VERSIONS_PER_FACT
from shared.storage.mongo import Row

__all__ = ["CONTENT_TYPE", "Metrics", "SystemSnapshot"]

_LATENCY: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
_REQUESTS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0)  # seconds


class SystemSnapshot(NamedTuple):
    """What the database knows: rows of folds and of stages, and what is counted of all documents."""

    folds: list[Row]
    stages: dict[str, Row]
    totals: Totals


class Metrics:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "pagestream_http_request_seconds",
            "Requests by route and status, until the last byte.",
            ("method", "route", "status"),
            buckets=_REQUESTS,
            registry=self.registry,
        )
        self._latency = Histogram(
            "pagestream_fact_to_frame_seconds",
            "From a fact (by its author's clock) to the frame about it, for documents that a client watches.",
            buckets=_LATENCY,
            registry=self.registry,
        )
        self._frames = Counter(
            "pagestream_changes_delivered", "Changes that went to at least one watcher.", registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its template."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def delivered(self, view: View) -> None:
        """A change was handed to its watchers; one that a tick made has no time of its own."""
        self._frames.inc()
        if view["version"] % VERSIONS_PER_FACT == 0:
            self._latency.observe(max(0.0, time.time() - datetime.fromisoformat(view["updated_at"]).timestamp()))

    def exposition(self, sockets: WebSockets, streams: EventStreams, known: SystemSnapshot | None) -> bytes:
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


def _of_connections(sockets: WebSockets, streams: EventStreams) -> Iterator[Metric]:
    yield _gauge("connections", "Open sockets and event streams.", "kind",
                 {"socket": len(sockets.open), "stream": len(streams.open)})  # fmt: skip
    waiting = [socket.outbox for socket in sockets.slow]
    yield GaugeMetricFamily("pagestream_outbox_frames", "Frames that wait for slow readers.", sum(map(len, waiting)))
    merged = sockets.merged + streams.merged
    yield CounterMetricFamily("pagestream_frames_merged", "Frames that a newer one replaced before they went.", merged)


def _of_knowledge(known: SystemSnapshot) -> Iterator[Metric]:
    yield _gauge("fold_lag_records", "How far a fold is behind the log.", "fold",
                 {row["_id"]: row.get("lag") or 0 for row in known.folds})  # fmt: skip
    yield _gauge("fold_halted", "1 where a fold has met what it must not skip.", "fold",
                 {row["_id"]: int(bool(row.get("halted"))) for row in known.folds})  # fmt: skip
    yield _gauge("circulating_documents", "Documents that are sent to workers again and again without a word.", "fold",
                 {row["_id"]: row["circulating"] for row in known.folds if "circulating" in row})  # fmt: skip
    for name, what in (("slots", "Places for slices of live workers."), ("busy", "Slices that are being worked on.")):
        yield _gauge(f"stage_{name}", what, "stage", {stage: row[name] for stage, row in known.stages.items()})
    yield _gauge("documents_failed", "Documents that have failed, by code.", "code", known.totals.failures())
    jobs = GaugeMetricFamily("pagestream_stage_jobs", "Stages of documents, by status.", labels=("stage", "status"))
    for labels, number in known.totals.stages().items():
        jobs.add_metric(labels, number)
    yield jobs
    yield stage_seconds(known.totals)


def stage_seconds(totals: Totals) -> Metric:
    """The histogram of how long stages took, by stage and outcome, of all documents that are there."""
    family = HistogramMetricFamily(
        "pagestream_stage_seconds",
        "From start to end of the stages of the documents that are there.",
        labels=("stage", "outcome"),
    )
    names = [*(str(bound) for bound in STAGE_SECONDS), "+Inf"]
    for labels, took in totals.stage_times().items():
        family.add_metric(labels, list(zip(names, accumulate(took.buckets), strict=True)), took.seconds)
    return family


def _gauge(name: str, what: str, label: str, values: dict[str, Any]) -> Metric:
    family = GaugeMetricFamily(f"pagestream_{name}", what, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
