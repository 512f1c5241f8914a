"""`traceparent` (W3C trace context) from a request into the facts that follow from it, and into every log line between.

Only OpenTelemetry's API is used: for spans, install its SDK and an exporter; without them the context is
carried all the same.
"""

import secrets
from collections.abc import Iterable
from typing import Final

from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.runtime import logs

HEADER: Final = "traceparent"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


def begin(traceparent: str | None) -> None:
    """Let this task, and those it starts, belong to a trace; to a new one where none (or nonsense) is given."""
    found = _PROPAGATOR.extract({HEADER: traceparent}) if traceparent else context.Context()
    if not trace.get_current_span(found).get_span_context().is_valid:
        fresh = SpanContext(secrets.randbits(128), secrets.randbits(64), is_remote=False, trace_flags=TraceFlags(0))
        found = trace.set_span_in_context(NonRecordingSpan(fresh), context.Context())
    context.attach(found)
    logs.bind(traceparent=current())


def current() -> str | None:
    """The trace that this task belongs to."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(HEADER)


def headers(traceparent: str | None) -> list[tuple[str, bytes]]:
    """A record's headers."""
    return [(HEADER, traceparent.encode())] if traceparent else []


def of_record(found: Iterable[tuple[str, bytes]]) -> str | None:
    """The trace in a record's headers."""
    return next((value.decode(errors="replace") for name, value in found if name == HEADER), None)
