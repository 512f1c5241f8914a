"""The totals of a real projection: equal to what its documents add, after a crash between any two writes too."""

import uuid
from collections import Counter

import pytest
from aiokafka import TopicPartition

from services.progress.projection.projector import Projector
from services.progress.projection.tenant_totals import TenantTotals
from shared.events.document import Fact
from shared.kafka import topics
from shared.projecting.batch import Batch, Entry
from shared.storage import mongo
from tests.support.facts import life
from tests.support.projection import Bench

pytestmark = pytest.mark.timeout(60)

PLACE = TopicPartition(topics.DOCUMENTS, 0)


class Books:
    """One generation that a live projector folds, and its totals."""

    def __init__(self, bench: Bench, generation: str) -> None:
        self._bench = bench
        self._generation = generation
        self._term = 0

    async def begin(self, position: int) -> TenantTotals:
        """Another life, which starts from a checkpoint."""
        self._term += 1
        self.totals = TenantTotals(self._bench.database, self._generation, self._term)
        await self.totals.start({PLACE: position})
        self.projector = Projector(
            self._bench.database, self._generation, self._bench.blobs, self._bench.producer, self.totals
        )
        return self.totals

    async def fold(self, facts: list[Fact], start: int, end: int) -> None:
        entries = [Entry(offset, facts[offset]) for offset in range(start, end)]
        await (await self.projector.apply(Batch(facts=entries, positions={PLACE: end})))()

    async def added(self) -> Counter[str]:
        """What the documents add, by their rows."""
        sums: Counter[str] = Counter()
        async for row in self._bench.database.projection("documents", self._generation).find({"deleted": False}):
            sums.update(row["counted"])
        return +sums

    async def stored(self) -> Counter[str]:
        rows = self._bench.database.projection(mongo.TOTALS, self._generation)
        row = await rows.find_one({"_id": "default"})
        return +Counter(row["counts"] if row else {})


@pytest.fixture
async def books(bench: Bench) -> Books:
    return Books(bench, await bench.generation())


def logs() -> list[Fact]:
    return [fact for _ in range(3) for fact in life(str(uuid.uuid4()))]


def without_days(counts: Counter[str]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if not name.startswith("pages/")}


async def test_totals_are_what_the_documents_add(books: Books) -> None:
    facts = logs()
    totals = await books.begin(0)
    for end in range(1, len(facts) + 1):
        await books.fold(facts, end - 1, end)
        assert without_days(await books.stored()) == without_days(await books.added())

    assert without_days(await books.stored())["documents"] == 3
    assert +totals._sums["default"] == await books.stored()


async def test_a_start_goes_on_with_what_is_stored(books: Books) -> None:
    facts = logs()
    await books.begin(0)
    await books.fold(facts, 0, 20)

    await books.begin(20)
    await books.fold(facts, 20, len(facts))

    assert without_days(await books.stored()) == without_days(await books.added())


async def test_a_batch_that_was_written_and_is_read_again_is_counted_once(books: Books) -> None:
    """The projector died after its rows and before its checkpoint."""
    facts = logs()
    await books.begin(0)
    await books.fold(facts, 0, 20)
    await books.fold(facts, 20, 30)

    await books.begin(20)
    await books.fold(facts, 20, len(facts))

    assert without_days(await books.stored()) == without_days(await books.added())


async def test_what_an_owner_of_before_writes_late_does_not_count(books: Books) -> None:
    """It was stopped while it began, lost the right to fold, and goes on."""
    facts = logs()
    await books.begin(0)
    await books.fold(facts, 0, 20)
    stopped = await books.begin(20)
    stopped._changed.update(stopped._sums)
    await books.begin(20)
    await books.fold(facts, 20, len(facts))

    await stopped.store()

    assert without_days(await books.stored()) == without_days(await books.added())


async def test_totals_that_were_written_before_rows_that_never_were_are_counted_anew(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The projector died between the totals and the rows that they count."""
    facts = logs()
    await books.begin(0)
    await books.fold(facts, 0, 20)

    async def died(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(books.projector._states, "store", died)
        with pytest.raises(KeyboardInterrupt):
            await books.fold(facts, 20, 30)

    await books.begin(20)
    await books.fold(facts, 20, len(facts))

    assert without_days(await books.stored()) == without_days(await books.added())


async def test_a_generation_that_a_rebuild_made_is_counted_by_its_first_projector(books: Books, bench: Bench) -> None:
    generation = await bench.folded(logs(), 100)
    rebuilt = Books(bench, generation)

    await rebuilt.begin(1000)

    assert without_days(await rebuilt.stored()) == without_days(await rebuilt.added())
    assert (await rebuilt.stored())["documents"] == 3
