"""The slot of a process: a name that no other process has at the same time and that its next life has again.

Whoever has the name of an earlier life takes up at once what that one held. A name that is not configured is made of
the machine, the data folder and the lowest number that is free there. It is held by a lock on a file, which the kernel
lets go of however the process ends.
"""

import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, TypeVar

from pydantic import Field

from shared.errors import Rejected
from shared.runtime import file_lock
from shared.runtime.settings import SharedSettings

_ID: Final = "id"  # of the folder: machines may have the same name


class SlotSettings(SharedSettings):
    """What a service can be told that has a slot."""

    slot: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$")  # unique among all machines; empty: one is made
    slots_folder: Path = Path(".pagestream/slots")  # kept, and local to the machine


S = TypeVar("S", bound=SlotSettings)


async def run_in_slot(service: str, settings: S, serve: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """Run `serve` with settings whose `slot` is this process's alone. Raises Rejected("slot_taken")."""
    with held(service, settings) as slot:
        await serve(settings.model_copy(update={"slot": slot}))


@contextmanager
def held(service: str, settings: SlotSettings) -> Iterator[str]:
    """Hold the configured slot of `service` during the body, else the first that is free in the folder.

    Raises Rejected("slot_taken") where a process of this folder has the configured one.
    """
    folder = settings.slots_folder
    folder.mkdir(parents=True, exist_ok=True)
    for slot in [settings.slot] if settings.slot else _made(folder):
        lock = file_lock.taken(folder / f"{service}-{slot}.lock")
        if lock is not None:
            try:
                yield slot
            finally:
                os.close(lock)
            return
    raise Rejected("slot_taken", slot=settings.slot)


def _made(folder: Path) -> Iterator[str]:
    """The names that the processes of this machine and folder may have, without an end."""
    machine = f"{socket.gethostname()}-{_id_of(folder)}"
    return (f"{machine}-{number}" for number in count(1))


def _id_of(folder: Path) -> str:
    """The folder's id, which is made when it is first asked for."""
    own = folder / f"{_ID}.{token_hex(8)}"
    own.write_text(token_hex(4))
    try:
        os.link(own, folder / _ID)  # of several that begin together one is the first
    except FileExistsError:
        pass
    finally:
        own.unlink()
    return (folder / _ID).read_text()
