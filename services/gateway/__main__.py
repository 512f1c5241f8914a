"""`python -m services.gateway`: serve HTTP and WebSockets until told to stop."""

import asyncio

import uvloop

from services.gateway.serving import serve
from services.gateway.settings import GatewaySettings
from shared import logs
from shared.settings import read


def main() -> None:
    """Read the settings, then serve."""
    settings = read(GatewaySettings)
    logs.configure("gateway", settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


if __name__ == "__main__":
    main()
