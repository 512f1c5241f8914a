"""Blobs: names that say what they answer, and results that notice a flipped byte."""

from pathlib import Path

import pytest

from shared.storage import blob_names, blobs
from shared.storage.blobs import BlobDamaged, BlobMissing, Blobs

NAMES = [
    blob_names.source("acme", "d1"),
    blob_names.meta("acme", "d1"),
    blob_names.plan("acme", "d1", "ocr", "p1"),
    blob_names.slice_result("acme", "d1", "ocr", "p1", 0),
    blob_names.slice_result("acme", "d1", "ocr", "p1", 1),
    blob_names.slice_result("acme", "d1", "ocr", "p2", 0),
    blob_names.slice_result("acme", "d1", "chunk", "p1", 0),
    blob_names.result("acme", "d1", "ocr", "p1", ()),
    blob_names.result("acme", "d1", "ocr", "p1", (2,)),
    blob_names.result("acme", "d1", "ocr", "p1", (2, 3)),
]


def test_everything_of_a_document_lies_below_its_tenant_and_id() -> None:
    assert all(name.startswith("acme/d1/") for name in NAMES)


def test_no_two_answers_share_a_name() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_the_same_question_has_the_same_name() -> None:
    assert blob_names.result("acme", "d1", "ocr", "p1", (2, 3)) == NAMES[-1]


@pytest.mark.parametrize("value", [{}, {"text": "Straße ∑", "pages": [1, None, 2.5, True]}, [], "x"])
def test_a_sealed_value_comes_back_as_it_was(value) -> None:
    assert blobs.unseal(blobs.seal(value)) == value


def test_any_flipped_byte_is_noticed() -> None:
    sealed = blobs.seal({"text": "page one"})

    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 0x20
        with pytest.raises(BlobDamaged):
            blobs.unseal(bytes(damaged))


@pytest.mark.parametrize("cut", [0, 1, 50, -1])
def test_a_result_that_was_cut_off_is_noticed(cut: int) -> None:
    with pytest.raises(BlobDamaged):
        blobs.unseal(blobs.seal({"text": "page one"})[:cut])


@pytest.fixture
def store(tmp_path: Path):
    return Blobs.open(f"file://{tmp_path}/blobs")


async def test_a_result_is_read_as_it_was_written(store) -> None:
    await store.put_result("a/b/result", {"n": 1})

    assert await store.get_result("a/b/result") == {"n": 1}
    assert await store.exists("a/b/result")


async def test_the_same_blob_may_be_written_twice_and_a_damaged_one_is_replaced(store, tmp_path: Path) -> None:
    await store.put_result("a/b/result", {"n": 1})
    await store.put_result("a/b/result", {"n": 1})
    (tmp_path / "blobs/a/b/result").write_bytes(b"rubbish")

    with pytest.raises(BlobDamaged):
        await store.get_result("a/b/result")
    await store.put_result("a/b/result", {"n": 1})

    assert await store.get_result("a/b/result") == {"n": 1}


async def test_a_blob_that_is_not_there_is_missing_by_every_way_of_reading(store, tmp_path: Path) -> None:
    with pytest.raises(BlobMissing):
        await store.get("a/b/none")
    with pytest.raises(BlobMissing):
        await store.local("a/b/none", tmp_path / "copy")
    with pytest.raises(BlobMissing):
        async for _ in store.reading("a/b/none"):
            pass
    assert not await store.exists("a/b/none")
    await store.delete("a/b/none")


async def test_deleting_a_document_leaves_its_neighbours(store) -> None:
    for name in ("acme/d1/source", "acme/d1/ocr/p/0", "acme/d10/source", "other/d1/source"):
        await store.put(name, b"x")

    await store.delete_document("acme", "d1")

    assert [name async for name in store.names("acme/")] == ["acme/d10/source"]
    assert await store.exists("other/d1/source")


async def test_of_a_stream_that_breaks_off_nothing_is_left(store) -> None:
    async def upload() -> None:
        async with store.writing("acme/d1/source") as writer:
            await writer.write(b"half")
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        await upload()

    assert not await store.exists("acme/d1/source")


def test_a_store_that_is_neither_a_folder_nor_a_bucket_is_refused() -> None:
    with pytest.raises(SystemExit, match="PAGESTREAM_STORE"):
        Blobs.open("ftp://somewhere")
