"""A network between broker and services that swallows everything, or cuts every connection."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stack import kafka, ports
from stack.ports import Wanted
from tests.chaos import pictures
from tests.chaos.chaos_system import ChaosSystem, started
from tests.chaos.conftest import Fault
from tests.chaos.pictures import PLAIN
from tests.support.background_loop import Background
from tests.support.proxy import HOST, Mode, Proxy

DEADLINE = 15.0  # seconds for a confirmation; `shared.kafka.producer.DEADLINE`
MEMORY = 64 * 2**20  # bytes that the gateway may grow by while nothing is confirmed

pytestmark = [pytest.mark.timeout(300), pytest.mark.soak]


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    """Where the proxy runs."""
    with Background() as background:
        yield background


@pytest.fixture(scope="module")
def places() -> dict[str, int]:
    """The ports of the broker and of the proxy before it."""
    return ports.choose({"broker": Wanted(0, "", ""), "proxy": Wanted(0, "", "")})


@pytest.fixture(scope="module")
def proxy(background: Background, places: dict[str, int]) -> Iterator[Proxy]:
    """The proxy."""
    proxy = Proxy(places["proxy"], places["broker"])
    background.run(proxy.start())
    yield proxy
    background.run(proxy.stop())


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy, places: dict[str, int]) -> Iterator[ChaosSystem]:
    """A system whose broker tells its clients to come through the proxy."""
    address = f"{HOST}:{places['proxy']}"
    plain = kafka.server_properties

    def advertising(folder: Path, port: int, controller_port: int) -> str:
        return plain(folder, port, controller_port) + f"advertised.listeners=PLAINTEXT://{address}\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "server_properties", advertising)
        with started(tmp_path_factory.mktemp("network"), broker_port=places["broker"], address=address) as system:
            yield system


def memory_of(pid: int) -> int:
    """The resident bytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("mode", ["black hole", "reset"])
async def test_7_the_network_fails(
    system: ChaosSystem, background: Background, proxy: Proxy, fault: Fault, mode: Mode
) -> None:
    with fault(7, f"network to the broker: {mode} for 30 s") as strikes:
        before = await system.upload(pictures.scan(PLAIN, PLAIN))
        await system.until_ready()
        gateway = system.pid_of("gateway")
        assert gateway
        used = memory_of(gateway)
        began = time.monotonic()
        await background.do(proxy.set(mode))
        try:
            while time.monotonic() - began < 30:
                answers = await asyncio.gather(*(try_to_upload(system) for _ in range(5)))
                assert {status for status, _ in answers} == {503}
                assert max(seconds for _, seconds in answers) < DEADLINE + 5
            assert system.pid_of("gateway") == gateway
            assert memory_of(gateway) - used < MEMORY
        finally:
            await background.do(proxy.set("pass"))
        strikes()
        after = await system.upload(pictures.note(1), "note.txt")
        await system.completed(before, after)
        await system.check()


async def try_to_upload(system: ChaosSystem) -> tuple[int, float]:
    """The status of the answer and how long it took."""
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=system.url, trust_env=False, timeout=60) as http:
        answer = await http.post(
            "/v1/documents", params={"filename": "n.txt", "force": "true"}, content=b"A note." + b" " * 80_000
        )
    return answer.status_code, time.monotonic() - began
