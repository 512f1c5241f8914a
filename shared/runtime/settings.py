"""The settings that every service shares; each service's own settings extend them.

Every field has a default that works on one machine; the environment overrides it as PAGESTREAM_<FIELD>.
"""

import sys
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime.addresses import KafkaAddress, MongoAddress
from shared.runtime.watchdog import BLOCKED_SECONDS


class SharedSettings(BaseSettings):
    """Where the broker, the database and the blobs are, and the numbers that several services must agree on."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_", frozen=True, extra="ignore")

    kafka: KafkaAddress = (
        "127.0.0.1:29092"  # host:port[,host:port], with TLS or SASL as in `shared/runtime/addresses.py`
    )
    mongo: MongoAddress = "mongodb://127.0.0.1:29017/?replicaSet=pagestream"
    store: str = "file://.pagestream/blobs"  # file://FOLDER or s3://BUCKET[/PREFIX]
    database: str = Field(default="pagestream", pattern=r"^[A-Za-z0-9_-]{1,38}$")
    control_database: str = Field(default="pagestream_control", pattern=r"^[A-Za-z0-9_-]{1,38}$")
    partitions: int = Field(default=12, ge=1, le=1000)  # of the keyed topics; never changed afterwards
    replication: int = Field(default=1, ge=1)  # of every topic; 3 on a real cluster
    heartbeat: Path | None = None  # a file that is touched every second while the service's event loop runs
    # A process whose event loop is silent for so long ends itself. Raise it to stop in a debugger.
    blocked_seconds: float = Field(default=BLOCKED_SECONDS, gt=0)
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


_SECRET: Final = (("kafka",), ("mongo",))  # may hold passwords
S = TypeVar("S", bound=BaseSettings)


def read(settings: type[S]) -> S:
    """The settings from the environment; a wrong value ends the process with the field's name and what is allowed."""
    try:
        return settings()
    except ValidationError as error:
        _refuse(settings, error)


def _refuse(settings: type[BaseSettings], error: ValidationError) -> NoReturn:
    prefix = settings.model_config.get("env_prefix", "")
    for problem in error.errors():
        name = prefix + "_".join(str(part) for part in problem["loc"]).upper()
        shown = "" if problem["loc"][:1] in _SECRET else f"={problem.get('input')!r}"
        print(f"{name}{shown} is not allowed: {problem['msg']}", file=sys.stderr)
    raise SystemExit(2)
