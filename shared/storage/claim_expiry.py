"""When a claim on a document may be forgotten: it was not made or found for long.

An upload that finds a claim may append its fact later, so finding leaves a trace in the same write. What forgets claims
looks at the trace in the same write, too: of the two, one comes first and the other sees it.
"""

from datetime import datetime

from shared.events.document import utcnow
from shared.storage.mongo import Collection, Row


async def find(claims: Collection, name: str) -> Row | None:
    """The claim `name`, and the trace that it was found."""
    found: Row | None = await claims.find_one_and_update({"_id": name}, {"$set": {"found_at": utcnow()}})
    return found


def forgotten(since: datetime) -> Row:
    """The query for claims that were not made or found since then."""
    return {"at": {"$lte": since}, "found_at": {"$not": {"$gt": since}}}
