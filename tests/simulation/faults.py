"""What goes wrong, when its time has come; and the weather between parts that only are slow or lose answers."""

import asyncio
from typing import Any

from shared.kafka import topics
from tests.simulation.scenario import RATES, Fault


class Faults:
    """The faults of one world."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.rates = dict(world.scenario.rates)
        self._tasks: list[asyncio.Task[None]] = []
        self._armed: list[list[Any]] = []  # faults that wait for a call, and for how many more

    def begin(self) -> None:
        """Let the weather be as drawn, and each fault come in its time."""
        self._weather(self._world.scenario.rates, crumbs=self._world.scenario.crumbs)
        self._tasks = [asyncio.create_task(self._bring(fault)) for fault in self._world.scenario.faults]

    def end(self) -> None:
        """Nothing goes wrong any more."""
        world = self._world
        self._armed.clear()
        self._weather(dict.fromkeys(RATES, 0.0), crumbs=world.scenario.crumbs)
        world.server.away_until = min(world.server.away_until, world.loop.now)
        world.broker.away_until = min(world.broker.away_until, world.loop.now)
        world.bucket.full_until = world.bucket.away_until = 0.0

    def _weather(self, rates: dict[str, float], *, crumbs: bool) -> None:
        self.rates = rates
        database, broker, bucket = self._world.server.weather, self._world.broker.weather, self._world.bucket
        database.slow, database.broken, database.torn = rates["db_slow"], rates["db_broken"], rates["db_torn"]
        broker.slow, broker.unconfirmed, broker.refused = rates["kafka_slow"], rates["unconfirmed"], rates["refused"]
        broker.crumbs = crumbs
        bucket.unavailable = rates["store_unavailable"]

    async def _bring(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        if fault.calls:
            self.arm(fault)
            return
        self._world.tell("fault", str(fault))
        await getattr(self, f"_{fault.kind}")(fault)

    def arm(self, fault: Fault) -> None:
        """Let a fault come with a call."""
        self._armed.append([fault, fault.calls])

    async def called(self) -> None:
        """A process calls the outside; to be awaited before the call has an effect, or after: it may die here."""
        if not self._armed:
            return
        process = self._world.loop.process
        for armed in self._armed:
            fault = armed[0]
            if fault.who == process.name:
                armed[1] -= 1
                if armed[1] <= 0:
                    self._armed.remove(armed)
                    self._world.tell("fault", str(fault))
                    await getattr(self, f"_{fault.kind}")(fault)
                    await asyncio.sleep(0)  # for ever, where it is dead
                    return

    async def _kill(self, fault: Fault) -> None:
        self._world.machines.kill(fault.who)

    async def _term(self, fault: Fault) -> None:
        self._world.machines.terminate(fault.who)

    async def _freeze(self, fault: Fault) -> None:
        self._world.machines.freeze(fault.who, fault.seconds)

    async def _db_away(self, fault: Fault) -> None:
        self._world.server.away_until = self._world.loop.now + fault.seconds

    async def _broker_away(self, fault: Fault) -> None:
        self._world.broker.away_until = self._world.loop.now + fault.seconds

    async def _store_full(self, fault: Fault) -> None:
        self._world.bucket.full_until = self._world.loop.now + fault.seconds

    async def _store_away(self, fault: Fault) -> None:
        self._world.bucket.away_until = self._world.loop.now + fault.seconds

    async def _drop(self, _: Fault) -> None:
        """Drop what only holds what folds wrote; it is documented as allowed at any time."""
        self._world.server.drop("pagestream")
        self._world.drops += 1
        self._world.dropped_at = self._world.loop.now

    async def _rebuild(self, _: Fault) -> None:
        await self._world.machines.rebuild("swap")

    async def _dry_run(self, _: Fault) -> None:
        await self._world.machines.rebuild("dry-run")

    async def _rollback(self, _: Fault) -> None:
        await self._world.machines.rebuild("rollback")

    async def _damage(self, _: Fault) -> None:
        """Lose a stored slice or result of a stage, or flip a byte of it."""
        world = self._world
        found = [name for name in sorted(world.bucket.blobs) if name.count("/") >= 3]
        if found:
            name = world.loop.random.choice(found)
            world.damaged.setdefault(name, world.bucket.get(name))
            world.tell("fault", f"{name} is damaged")
            if world.loop.random.random() < 0.5:
                del world.bucket.blobs[name]
            else:
                data, at = world.bucket.blobs[name]
                world.bucket.blobs[name] = (data[:-1] + bytes([data[-1] ^ 1]), at)

    async def _repeat(self, _: Fault) -> None:
        """A record of the log is appended again, as by a producer that lost an answer and died."""
        world = self._world
        records = [r for place in world.broker.places(topics.DOCUMENTS) for r in world.broker.records(place)]
        if records:
            record = world.loop.random.choice(records)
            place = next(p for p in world.broker.places(topics.DOCUMENTS) if p.partition == record.partition)
            world.broker.append(place, record.key, record.value, record.headers)
