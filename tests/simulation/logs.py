"""What simulated worlds have written of each document, for whoever folds it: one JSON list of facts a line.

python -m tests.simulation.logs COUNT
"""

import sys

import orjson

from tests.simulation import checks, seams
from tests.simulation.__main__ import leave
from tests.simulation.scenario import draw
from tests.simulation.world import World


def main(count: int) -> None:
    for seed in range(count):
        world = World(draw(seed))
        with seams.patched(world.loop, world.scenario, world.tell):
            world.run()
        logs: dict[str, list[str]] = {}
        for logged in checks.read_log(world):
            logs.setdefault(logged.fact.document_id, []).append(logged.fact.encode().decode())
        for log in logs.values():
            print(orjson.dumps(log).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
    leave(0)
