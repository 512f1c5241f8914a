"""API keys in the control database: made, listed and revoked here, looked up by the gateways.

A revoked key keeps its row: an installation that ever had a key never again serves without one.
"""

import re
from typing import Final, NamedTuple

from shared.errors import Rejected
from shared.events.document import utcnow
from shared.storage.credentials import KEY_PREFIX, digest, new_id, new_secret
from shared.storage.mongo import Collection, Mongo, Row

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # begins blob names, stands in record headers


class Issued(NamedTuple):
    """A new key; `secret` is shown once and stored nowhere."""

    id: str
    secret: str


class Keys:
    """The keys of an installation, in its control database."""

    def __init__(self, mongo: Mongo) -> None:
        self._rows: Collection = mongo.control["keys"]

    async def prepare(self) -> None:
        """Create the index by which a key is found."""
        await self._rows.create_index([("digest", 1)], unique=True)

    async def any(self) -> bool:
        """Whether there ever was a key."""
        return await self._rows.find_one({}, {"_id": 1}) is not None

    async def add(self, tenant: str, name: str = "") -> Issued:
        """A new key of `tenant`. Raises Rejected("wrong_tenant")."""
        if not _TENANT.fullmatch(tenant):
            raise Rejected("wrong_tenant", tenant=tenant)
        issued = Issued(new_id(), new_secret(KEY_PREFIX))
        row: Row = {"_id": issued.id, "digest": digest(issued.secret), "tenant": tenant, "name": name}
        await self._rows.insert_one({**row, "created_at": utcnow(), "revoked_at": None})
        return issued

    async def revoke(self, key_id: str) -> None:
        """The key opens nothing any more, nor do the tokens made with it. Raises Rejected("no_such_key")."""
        now = utcnow()
        found = await self._rows.update_one({"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": now}})
        if not found.matched_count:
            raise Rejected("no_such_key", key=key_id)

    async def listed(self) -> list[Row]:
        """All keys, oldest first: `_id`, `tenant`, `name`, `created_at`, `revoked_at`."""
        return [row async for row in self._rows.find({}, {"digest": 0}).sort("created_at", 1)]

    async def valid(self, wanted: Row) -> list[Row]:
        """The keys that match the query `wanted` and are not revoked: `_id`, `digest`, `tenant`."""
        return [row async for row in self._rows.find({**wanted, "revoked_at": None})]
