"""The event loop of every service: uvloop's, with aiokafka made fit for it.

A write to a connection that has just gone is swallowed by asyncio's transports and raises RuntimeError in uvloop's.
aiokafka expects OSError at most: the task that refreshes a client's metadata, that fetches or that sends the heartbeat
dies of anything else without a word, and the client waits for it for ever (aio-libs/aiokafka#1038). So the error is
told as what it is, a broken connection.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any

import uvloop
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for `asyncio.Runner`; from the first one on, aiokafka knows what uvloop does."""
    for name in ("send", "_send_sasl_token"):
        plain = getattr(AIOKafkaConnection, name)
        if not hasattr(plain, "__wrapped__"):
            setattr(AIOKafkaConnection, name, _reporting_broken_connection(plain))
    return uvloop.new_event_loop()


def _reporting_broken_connection(plain: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def sending(connection: AIOKafkaConnection, *args: Any, **options: Any) -> Any:
        try:
            return plain(connection, *args, **options)
        except (KafkaError, NotImplementedError):  # which are RuntimeErrors too
            raise
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"connection at {connection.host}:{connection.port} broken: {error}") from error

    return sending
