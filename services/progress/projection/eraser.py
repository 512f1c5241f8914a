"""Erasing: of a deleted document nothing stays in any generation but the fact that it was there."""

from collections.abc import Sequence
from typing import Final

from services.progress.projection import generations
from shared.document.upload_info import NOTHING
from shared.storage import mongo
from shared.storage.mongo import Mongo

_ROWS: Final = ("processing_jobs", "timeline", "chunks")  # their ids begin with the document's


async def erase(database: Mongo, generation: str, ids: Sequence[str]) -> None:
    """Remove what a generation holds of documents whose own rows say that they are deleted."""
    if not ids:
        return
    for name in _ROWS:
        await database.projection(name, generation).delete_many(mongo.under(ids))
    await database.projection("extractions", generation).delete_many({"_id": {"$in": ids}})
    # What was noted beside the state: a rebuild never loads an erased document, so it would not note it.
    noted = {"$unset": {"loaded": "", "faults": "", "unloaded": ""}, "$currentDate": {"searchable_at": True}}
    await database.projection("documents", generation).update_many({"_id": {"$in": ids}}, noted)


async def erase_elsewhere(database: Mongo, live: str, document_id: str) -> None:
    """Remove a document from the generations that are kept beside the live one, however far each has come.

    One that catches up later (a rollback, a rebuild that was killed) reads of the deletion itself.
    """
    gone = {"$set": {"deleted": True, "view": {"status": "deleted"}, **NOTHING.to_row()}}
    for generation in await generations.beside(database, [live]):
        await database.projection("documents", generation).update_one({"_id": document_id}, gone)
        await erase(database, generation, [document_id])
