"""What Pagestream needs on a machine: what is there, and what to do about what is not."""

import asyncio
import json
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pagestream import PagestreamClient
from pagestream.refusals import Unreachable
from shared.error_catalog import describe
from shared.errors import PagestreamError
from shared.runtime import addresses
from stack import infrastructure, jars, java, kafka, mongodb, ports, running, tesseract
from stack.ports import Wanted
from stack.settings import StackSettings

OLDEST: Final = (3, 11)  # Python, as in pyproject.toml


@dataclass(frozen=True)
class Check:
    """One thing looked at: whether it is in order, what was seen, and what to do where it is not."""

    what: str
    ok: bool
    said: str
    advice: str = ""


async def all_of(settings: StackSettings, pagestream: PagestreamClient) -> list[Check]:
    """Everything the doctor looks at; ports only where no stack of this folder holds them."""
    checks = [_python(), *await asyncio.to_thread(programs, settings), await _mongodb(settings)]
    if running.find(settings.folder) is None:
        checks += free_ports(settings)
    return checks + await answers(pagestream)


def programs(settings: StackSettings) -> list[Check]:
    """What the stack would start, as far as it is to be found without starting it. Blocks for about 0.1 s."""
    checks = [_found("Tesseract", lambda: str(tesseract.find(packaged_only=settings.packaged_only).path))]
    if settings.kafka:
        return [*checks, Check("Kafka", True, f"a running one is used: {addresses.parse(settings.kafka).servers}")]
    return [*checks, _found("Java", lambda: _java(settings)), Check("Kafka", True, _kafka(settings))]


def free_ports(settings: StackSettings) -> list[Check]:
    """Whether each port that the stack would listen on is free."""
    gateway = Wanted(settings.gateway_port, "The gateway", "PAGESTREAM_GATEWAY_PORT")
    wanted = [gateway, *infrastructure.wanted_ports(settings).values()]
    return [_found(f"port {port.port}", partial(_free, port)) for port in wanted if port.port]  # 0: any free one


async def answers(pagestream: PagestreamClient) -> list[Check]:
    """Whether a Pagestream runs, lives and is ready; that none runs is no fault."""
    checks = []
    for path, yes in (("/healthz", "alive"), ("/readyz", "ready")):
        try:
            ok, body = await pagestream.healthy(path)
        except Unreachable as error:
            return [Check("Pagestream", True, str(error))]
        advice = "" if ok else "Look into the logs of what is named here; `pagestream up` prints where they are."
        checks.append(
            Check("Pagestream", ok, yes if ok else f"{pagestream.base_url}{path}: {json.dumps(body)}", advice)
        )
    return checks


def _python() -> Check:
    ok = sys.version_info >= OLDEST
    return Check("Python", ok, platform.python_version(), "" if ok else "Install Python 3.11 or newer.")


def _java(settings: StackSettings) -> str:
    found = java.find(packaged_only=settings.packaged_only)
    return f"{found.version} at {found.path}"


def _kafka(settings: StackSettings) -> str:
    if not settings.packaged_only and kafka.installed_libraries():
        return "the installed one is used"
    listed = jars.parse(jars.LIST.read_text())
    missing = [jar for jar in listed if not (settings.downloads / "kafka" / jar.filename).exists()]
    megabytes = sum(jar.size for jar in missing) / 1e6
    return f"is downloaded at the first start ({megabytes:.0f} MB)" if missing else "the packaged one is here"


async def _mongodb(settings: StackSettings) -> Check:
    if settings.mongo:
        return Check("MongoDB", True, "a running one is used")  # its address may hold a password
    try:
        with tempfile.TemporaryDirectory() as elsewhere:  # asked for a program, the stack makes its data folder
            program = await mongodb.program(settings.model_copy(update={"data": Path(elsewhere)}), settings.mongo_port)
    except PagestreamError as error:
        return _missing("MongoDB", error)
    return Check("MongoDB", True, program.provider)


def _free(port: Wanted) -> str:
    ports.choose({port.what: port})
    return "free"


def _found(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, True, look())
    except PagestreamError as error:
        return _missing(what, error)


def _missing(what: str, error: PagestreamError) -> Check:
    sentence, action = describe(error.code, error.facts)
    return Check(what, False, sentence, action)
