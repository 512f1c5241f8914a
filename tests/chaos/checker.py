"""The offline checker: waits until a system is at rest and says which invariants do not hold.

    python -m tests.chaos.checker [--within SECONDS] [--acknowledged FILE]

Looks at PAGESTREAM_KAFKA, PAGESTREAM_MONGO, PAGESTREAM_STORE, or else at the stack that runs on `.pagestream`. FILE has
an id on each line: documents that were answered with 202, or events. Exit status 1 where something does not hold.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from shared.runtime.settings import SharedSettings, read
from stack import running
from tests.chaos.observing import observe
from tests.support.invariants import Violation, violations

WITHIN: Final = 60.0  # seconds for everything to come to rest: a lease lasts 10, a retry waits 4 and more
_LOOK_AGAIN: Final = 0.5


async def check(
    settings: SharedSettings,
    *,
    acknowledged: Collection[str] = (),
    within: float = WITHIN,
    temporary: Path | None = None,
) -> list[Violation]:
    """What does not hold; looked at again until everything holds or `within` seconds are over."""
    end = time.monotonic() + within
    while True:
        found = violations(await observe(settings, temporary), acknowledged)
        if not found or time.monotonic() > end:
            return found
        await asyncio.sleep(_LOOK_AGAIN)


def settings_of_the_stack() -> SharedSettings:
    """The addresses in the environment, else those of the stack that runs in this folder."""
    settings = read(SharedSettings)
    found = running.find(Path(".pagestream"))
    if found is None or "PAGESTREAM_KAFKA" in os.environ:
        return settings
    return settings.model_copy(update={"kafka": found.kafka, "mongo": found.mongo})


def main() -> int:
    """Print each violation as a line; 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--within", type=float, default=WITHIN)
    parser.add_argument("--acknowledged", type=Path)
    chosen = parser.parse_args()
    acknowledged = chosen.acknowledged.read_text().split() if chosen.acknowledged else []
    found = asyncio.run(check(settings_of_the_stack(), acknowledged=acknowledged, within=chosen.within))
    for violation in found:
        print(violation)
    print(f"{len(found)} violations" if found else "everything holds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
