"""The gateway's settings, read once at start."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from services.gateway.auth.origins import is_loopback
from services.gateway.uploads.quotas import Quota
from shared.runtime.settings import SharedSettings


class GatewaySettings(SharedSettings):
    """Where the gateway listens, whom it trusts and how much it takes."""

    gateway_host: str = "127.0.0.1"  # beyond this machine only with keys
    gateway_trust_network: bool = False  # while there are no keys, every caller may do everything
    metrics: Literal["loopback", "key"] = "loopback"  # who may read /metrics: programs on this machine, or also keys
    gateway_port: int = Field(default=8000, ge=1, le=65535)
    max_upload: int = Field(default=1024**3, ge=1)  # bytes of one document
    uploads_at_once: int = Field(default=32, ge=1)  # each may hold three 5 MiB parts in memory; more wait their turn
    upload_bytes_per_second: int = Field(default=1024, ge=0)  # of a body, over half a minute; slower ones are let go
    upload_seconds: float = Field(default=6 * 3600, gt=0)  # for which we wait for one body in all
    images_at_once: int = Field(default=2, ge=1, le=64)  # pages drawn for people to look at; more wait their turn
    origins: tuple[str, ...] = ()  # pages that may call besides our own, as JSON: ["https://desk.example"]
    cache: Path = Path(".pagestream/cache")  # where the chunker's model is kept, for searching by meaning
    search: Path | None = None  # where the search index is kept, made from the database; without it, in `cache`
    subscriptions_per_socket: int = Field(default=1_000, ge=1)
    # Of one key, and of one address, at the same time:
    waiting_connections_each: int = Field(default=4_000, ge=1)  # of an address: those that ask nothing (yet)
    connections_each: int = Field(default=10_000, ge=1)  # sockets, event streams and long polls
    subscriptions_each: int = Field(default=100_000, ge=1)
    frames_per_second_each: int = Field(default=2_000, ge=1)  # from the client; ten times as many at once
    requests_per_second_each: int = Field(default=500, ge=1)  # over HTTP; ten times as many at once
    uploads_each: int = Field(default=256, ge=1)
    upload_bytes_each: int = Field(default=64 * 1024**3, ge=1)
    # By tenant, "*" for all others; none is no limit: {"*": {"documents": 100, "pages_a_day": 9000}}
    quotas: dict[str, Quota] = Field(default_factory=dict)

    @property
    def open_house(self) -> bool:
        """Whether no key is asked for while there are none: on this machine, or where the network is trusted."""
        return is_loopback(self.gateway_host) or self.gateway_trust_network

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not host or "/" in host or "*" in host:
                raise ValueError(f"{origin!r} is no origin; write it as scheme://host[:port], without * or a path")
        return origins
