"""How a command ends: its exit code, and one sentence where it ended early."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final, NoReturn

import typer

from pagestream.refusals import Refused, Unreachable
from shared.error_catalog import describe
from shared.errors import PagestreamError, Transient

COMPLETED: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

HELP: Final = (
    "Exit codes: 0 all completed; 1 some failed, were cancelled or deleted; 2 wrong usage or refused; 3 not reachable."
)


def of_endings(endings: Iterable[str]) -> int:
    """The code for how documents ended (`State.ending`); a refusal outweighs a failure."""
    ended = set(endings)
    if "refused" in ended:
        return REFUSED
    return COMPLETED if ended <= {"completed"} else FAILED


def run(command: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command to its end and leave with its code."""
    try:
        code = asyncio.run(command)
    except Unreachable as error:
        code = _print_error(str(error), UNREACHABLE)
    except Refused as error:
        code = _print_error(str(error), REFUSED)
    except PagestreamError as error:
        code = _print_error(" ".join(describe(error.code, error.facts)), _of_failure(error))
    except KeyboardInterrupt:
        code = _print_error("Stopped. What was uploaded goes on without you.", INTERRUPTED)
    raise typer.Exit(code)


def _of_failure(error: PagestreamError) -> int:
    return UNREACHABLE if isinstance(error, Transient) else REFUSED


def _print_error(sentence: str, code: int) -> int:
    typer.echo(sentence, err=True)
    return code
