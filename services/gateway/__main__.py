"""`python -m services.gateway`: serve HTTP and WebSockets until told to stop."""

import asyncio
import sys

from services.gateway.server import serve
from services.gateway.settings import GatewaySettings
from shared.error_catalog import describe
from shared.errors import Rejected
from shared.runtime import event_loop, logs
from shared.runtime.settings import read


def main() -> None:
    """Read the settings, then serve. What only a person can put right ends it with a sentence and code 2."""
    settings = read(GatewaySettings)
    logs.configure("gateway", settings.log_level)
    with asyncio.Runner(loop_factory=event_loop.new_event_loop) as runner:
        try:
            runner.run(serve(settings))
        except Rejected as refused:
            print(" ".join(describe(refused.code, refused.facts)), file=sys.stderr)
            raise SystemExit(2) from None


if __name__ == "__main__":
    main()
