"""One share of a long replay, in a process of its own; see `replay_pool`.

    python -m services.progress.rebuild.replay_share fold|restore GENERATION NUMBER OF

The first line of standard input is JSON: the positions to reach, or the name of the snapshot to take up. The end of
standard input ends this process. A line of standard output is `{"done": …}`, how many records it has folded or rows it
has taken up, or a line of its log. Exit code 2: the snapshot is of no use.
"""

import os
import sys
import threading

import orjson

from services.progress.projection.projector import Projector
from services.progress.projection.snapshot_restore import SnapshotRestore
from services.progress.rebuild.builder import Builder
from services.progress.settings import ProgressSettings
from shared.errors import Rejected
from shared.projecting.checkpoint import Positions, Share, of_row
from shared.projecting.fences import PASSES
from shared.projecting.snapshots import Snapshots
from shared.runtime import logs
from shared.runtime.process import run
from shared.runtime.settings import read
from shared.runtime.tracebacks import summarize
from shared.storage import mongo
from shared.storage.blobs import Blobs


async def fold(generation: str, share: Share, until: Positions) -> None:
    """Fold the share up to the positions."""
    settings = read(ProgressSettings)
    async with mongo.connect(settings, mongo.ELECTION) as database:
        builder = Builder(settings, database, generation, lambda folded, _: report(folded), share)
        await builder.fold(share.part(until))


async def restore(generation: str, share: Share, name: str) -> None:
    """Take up the share's parts of the snapshot of this name. Raises Rejected("snapshot_unusable")."""
    settings = read(ProgressSettings)
    blobs = Blobs.open(settings.store)
    done = 0

    def on_rows(rows: int) -> None:
        nonlocal done
        done += rows
        report(done)

    async with mongo.connect(settings, mongo.ELECTION) as database:
        restoring = SnapshotRestore(database, generation, blobs, Projector(database, generation, blobs, None))
        try:
            if (snapshot := await Snapshots(blobs).load(name)) is None:
                raise Rejected("snapshot_unusable", detail="it is gone")
            await restoring.take_up(snapshot, share, on_rows)
        except (Rejected, *PASSES):
            raise
        except Exception as error:
            raise Rejected("snapshot_unusable", detail=summarize(error)) from error


def report(done: int) -> None:
    """Print the number of folded records, or of rows, for the parent process."""
    print(orjson.dumps({"done": done}).decode(), flush=True)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    logs.configure("rebuild", "ERROR")
    wanted = orjson.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    what, built, number, of = sys.argv[1:]
    mine = Share(int(number), int(of))
    run(fold(built, mine, of_row(wanted)) if what == "fold" else restore(built, mine, wanted))
