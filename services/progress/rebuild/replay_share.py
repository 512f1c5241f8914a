"""One share of a long replay, in a process of its own; see `shares`.

    python -m services.progress.rebuild.replay_share GENERATION NUMBER OF

The first line of standard input is the positions to reach, as JSON; its end ends this process. A line of standard
output is `{"folded": …}`, how many records it has folded, or of the log.
"""

import os
import sys
import threading

import orjson

from services.progress.rebuild.builder import Builder
from services.progress.settings import ProgressSettings
from shared.projecting.checkpoint import Positions, Share, positions_of_json
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import read
from shared.storage import mongo


async def fold(generation: str, share: Share, until: Positions) -> None:
    """Fold the share up to the positions."""
    settings = read(ProgressSettings)
    async with mongo.connect(settings, mongo.ELECTION) as database:
        builder = Builder(settings, database, generation, report, share)
        await builder.fold(share.part(until))


def report(folded: int, _: int) -> None:
    """Print the number of folded records for the parent process."""
    print(orjson.dumps({"folded": folded}).decode(), flush=True)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    logs.configure("rebuild", "ERROR")
    wanted = positions_of_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(fold(sys.argv[1], Share(int(sys.argv[2]), int(sys.argv[3])), wanted))
