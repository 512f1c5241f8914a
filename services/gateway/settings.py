"""The gateway's settings, read once at start."""

from ipaddress import ip_address
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from shared.settings import SharedSettings


class GatewaySettings(SharedSettings):
    """Where the gateway listens, whom it trusts and how much it takes."""

    gateway_trust_network: bool = False  # whoever reaches the address may read everything
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8000, ge=1, le=65535)
    max_upload: int = Field(default=1024**3, ge=1)  # bytes of one document
    uploads_at_once: int = Field(default=32, ge=1)  # each may hold three 5 MiB parts in memory; more wait their turn
    origins: tuple[str, ...] = ()  # pages that may call besides our own, as JSON: ["https://desk.example"]
    cache: Path = Path(".pagestream/cache")  # where the chunker's model is kept, for searching by meaning
    subscriptions_per_socket: int = Field(default=1_000, ge=1)

    @field_validator("gateway_host")
    @classmethod
    def _on_this_machine(cls, host: str, given: ValidationInfo) -> str:
        if not is_loopback(host) and not given.data["gateway_trust_network"]:
            raise ValueError(
                "without API keys the gateway answers on this machine only; use 127.0.0.1, ::1 or localhost, or say "
                "PAGESTREAM_GATEWAY_TRUST_NETWORK=true where something else keeps strangers out, as in a container"
            )
        return host

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not host or "/" in host or "*" in host:
                raise ValueError(f"{origin!r} is no origin; write it as scheme://host[:port], without * or a path")
        return origins


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without a port) can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
