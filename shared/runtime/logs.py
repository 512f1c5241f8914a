"""Structured log lines: one JSON object each, with the document and the cause wherever they are known."""

import logging
import sys

import structlog
from structlog.typing import Processor


def configure(service: str, level: str) -> None:
    """Send every log line of this process, the libraries' too, to standard output as JSON."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # `websockets` logs whole handshakes when it may: addresses and headers with the tokens and keys in them.
    for chatty in ("aiokafka", "httpx", "uvicorn.access", "pymongo", "websockets"):
        logging.getLogger(chatty).setLevel("WARNING")
    structlog.contextvars.bind_contextvars(service=service)


def bind(**about: str | None) -> None:
    """Let every further line of this task, and of the tasks it starts, say what it is about."""
    structlog.contextvars.bind_contextvars(**{name: value for name, value in about.items() if value})


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
