"""Who comes through without a key, and who is not asked again and again."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.gateway.auth.limits import Pace
from services.gateway.auth.origins import OriginPolicy
from services.gateway.http.middleware import AuthenticationMiddleware
from services.gateway.problems import Problem

HERE = "127.0.0.1:8000"


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-forwarded-host", "forwarded", "via", "x-real-ip"])
def test_without_keys_a_proxy_lets_nobody_in_unless_the_network_is_trusted(header: str) -> None:
    asked = {"host": HERE, header: "203.0.113.9"}
    with pytest.raises(Problem, match="behind_proxy") as refused:
        OriginPolicy(()).check(asked, key_required=False)
    assert header in refused.value.sentence
    OriginPolicy(()).check(asked, key_required=True)
    OriginPolicy((), trust_network=True).check(asked, key_required=False)


class Asked:
    """An application, and a sign-in in front of it, that note who comes through."""

    def __init__(self, *, requests: int = 100) -> None:
        self.served: list[str] = []
        self.refused: list[int] = []
        self.pace = Pace(requests)
        authenticator, limits = SimpleNamespace(caller=self.caller), SimpleNamespace(ask=self.ask)
        self.door = AuthenticationMiddleware(
            self.application, cast(Any, authenticator), cast(Any, limits), metrics_need_key=False
        )

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.served.append(scope["path"])

    async def caller(self, secret: str | None) -> None:
        raise Problem("sign_in")

    def ask(self, holders: tuple[str, ...], now: float) -> None:
        if not self.pace.take(holders, 0.0):
            raise Problem("too_many_requests", limit=1, retry_after=1)

    async def get(self, path: str, peer: str = "127.0.0.1", **headers: str) -> None:
        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.refused.append(message["status"])

        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "client": (peer, 1)}
        await self.door({**scope, "headers": named}, cast(Any, None), send)


async def test_metrics_are_open_to_programs_of_this_machine_alone() -> None:
    asked = Asked()
    await asked.get("/metrics", host=HERE)
    await asked.get("/metrics", host="[::1]:8000")
    assert asked.served == ["/metrics"] * 2
    await asked.get("/metrics", host="evil.example:8000")  # a page that lets its own name resolve to here
    await asked.get("/metrics", host=HERE, x_forwarded_for="203.0.113.9")  # a proxy on this machine
    await asked.get("/metrics", peer="10.0.0.7", host="10.0.0.1")
    assert asked.refused == [401] * 3


async def test_who_guesses_keys_is_paced_by_address() -> None:
    asked = Asked(requests=1)
    for _ in range(12):
        await asked.get("/v1/documents", host=HERE)
    assert asked.refused == [401] * 10 + [429] * 2
    await asked.get("/readyz", host=HERE)
    assert asked.served == ["/readyz"]
