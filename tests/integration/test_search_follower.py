"""The search index follows a real projection: what becomes searchable, what changes, what goes."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gateway.search.follower import Follower
from services.gateway.search.narrowing import Narrowing
from services.gateway.search.search_index import SearchIndex
from services.progress.projection.eraser import erase
from shared.events.document import Fact
from shared.storage.mongo import Row
from tests.support.facts import life
from tests.support.projection import Bench

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SearchIndex]:
    opened = SearchIndex(tmp_path / "index")
    yield opened
    opened.close()


class Library:
    """A projection with documents whose results are stored, and the index that follows it."""

    def __init__(self, bench: Bench, index: SearchIndex) -> None:
        self._bench = bench
        self.index = index
        self.follower = Follower(bench.database, index)

    async def go_live(self, *logs: list[Fact]) -> str:
        """Another generation that holds these documents."""
        generation = await self._bench.folded([fact for log in logs for fact in log], 100)
        await self._bench.store_results(generation)
        pointer = {"$set": {"generation": generation}}
        await self._bench.database.generations.update_one({"_id": "live"}, pointer, upsert=True)
        status = {"$set": {"caught_up": True, "generation": generation}}
        await self._bench.database.control["status"].update_one({"_id": "progress"}, status, upsert=True)
        return generation

    async def change(self, generation: str, document_id: str, change: Row) -> None:
        """Change a document's row as something that makes it searchable does."""
        rows = self._bench.database.projection("documents", generation)
        await rows.update_one({"_id": document_id}, {**change, "$currentDate": {"searchable_at": True}})

    async def erase(self, generation: str, document_id: str) -> None:
        await erase(self._bench.database, generation, [document_id])

    async def document(self) -> tuple[str, list[Fact]]:
        """A processed document: its id and its facts."""
        document_id = str(uuid.uuid4())
        await self._bench.upload(document_id)
        return document_id, life(document_id)

    def found(self) -> set[str]:
        return {document_id for document_id, _ in self.index.worded("default", ["a"], 100, Narrowing())}


@pytest.fixture
def library(bench: Bench, index: SearchIndex) -> Library:
    return Library(bench, index)


async def test_what_has_become_searchable_is_taken_up_once(library: Library) -> None:
    (first, log), (second, another) = await library.document(), await library.document()
    await library.go_live(log, another)

    await library.follower.follow()
    held = library.index.catalog.known([first, second])
    await library.follower.follow()

    assert library.found() == {first, second}
    assert library.index.catalog.known([first, second]) == held
    assert library.follower.is_complete


async def test_another_result_of_a_document_is_taken_up(library: Library) -> None:
    document_id, log = await library.document()
    generation = await library.go_live(log)
    await library.follower.follow()

    await library.change(generation, document_id, {"$set": {"loaded.chunk": "another"}})
    await library.follower.follow()

    assert library.index.catalog.known([document_id])[document_id].result == "another"


async def test_an_erased_document_leaves_the_index(library: Library) -> None:
    document_id, log = await library.document()
    generation = await library.go_live(log)
    await library.follower.follow()

    await library.change(generation, document_id, {"$set": {"deleted": True}})
    await library.erase(generation, document_id)
    await library.follower.follow()

    assert library.index.catalog.count() == 0
    assert library.found() == set()


async def test_a_look_takes_up_a_document_before_its_turn(library: Library) -> None:
    document_id, log = await library.document()
    await library.go_live(log)

    await library.follower.look([document_id, str(uuid.uuid4())])

    assert library.found() == {document_id}
    assert not library.follower.is_complete


async def test_what_another_generation_does_not_have_leaves_the_index(library: Library) -> None:
    (kept, log), (_, another) = await library.document(), await library.document()
    await library.go_live(log, another)
    await library.follower.follow()
    before = library.index.catalog.known([kept])

    await library.go_live(log)
    await library.follower.follow()

    assert library.found() == {kept}
    assert library.index.catalog.count() == 1
    assert library.index.catalog.known([kept]) == before


async def test_nothing_leaves_while_results_are_still_stored(library: Library) -> None:
    (first, log), (second, another) = await library.document(), await library.document()
    await library.go_live(log, another)
    await library.follower.follow()

    generation = await library.go_live(log)
    await library.change(generation, first, {"$set": {"unloaded": True}})
    await library.follower.follow()

    assert library.found() == {first, second}


async def test_an_index_goes_on_where_it_was_saved(library: Library, bench: Bench, tmp_path: Path) -> None:
    document_id, log = await library.document()
    await library.go_live(log)
    await library.follower.follow()
    library.index.save()
    later, another = await library.document()

    position = library.index.catalog.position
    await library.go_live(log, another)
    await library.follower.follow()

    assert position
    assert library.found() == {document_id, later}
    assert library.index.catalog.position != position
