"""Capability tokens in the control database: the right to watch or to steer one document or batch, for a while.

The while is counted by the database's clock, so that all gateways agree on it.
"""

from datetime import timedelta
from typing import NamedTuple

from services.gateway.auth.callers import Caller, Right
from services.gateway.problems import Problem
from shared.storage.credentials import TOKEN_PREFIX, digest, new_id, new_secret
from shared.storage.mongo import Collection, Mongo, Row


class Token(NamedTuple):
    """A new token; its secret is shown once and stored nowhere."""

    id: str
    secret: str
    row: Row


class Tokens:
    """A token is its row: removing the row revokes it, and the database removes those that expired."""

    def __init__(self, mongo: Mongo) -> None:
        self._rows: Collection = mongo.control["tokens"]

    async def prepare(self) -> None:
        """Create the indexes."""
        await self._rows.create_index([("digest", 1)], unique=True)
        await self._rows.create_index([("expires_at", 1)], expireAfterSeconds=0)
        await self._rows.create_index([("tenant", 1)])

    async def add(
        self, issuer: Caller, right: Right, ttl: timedelta, *, document_id: str | None, batch: str | None
    ) -> Token:
        """A token of `issuer` on a document or a batch of their tenant."""
        secret = new_secret(TOKEN_PREFIX)
        row: Row = {
            "_id": new_id(),
            "digest": digest(secret),
            "tenant": issuer.tenant,
            "document_id": document_id,
            "batch": batch,
            "right": right,
            "issuer": issuer.id_of("key"),
        }
        new = {name: {"$literal": value} for name, value in row.items()}
        expires_at = {"$add": ["$$NOW", ttl // timedelta(milliseconds=1)]}
        stored = await self._rows.find_one_and_update(
            {"_id": row["_id"]}, [{"$set": {**new, "expires_at": expires_at}}], upsert=True, return_document=True
        )
        return Token(row["_id"], secret, stored)

    async def count(self, tenant: str, limit: int) -> int:
        """How many tokens of the tenant there are, those that expired within a minute among them; `limit` for more."""
        return int(await self._rows.count_documents({"tenant": tenant}, limit=limit))

    async def revoke(self, tenant: str, token_id: str) -> None:
        """The token opens nothing any more. Raises Problem("token.not_found")."""
        found = await self._rows.delete_one({"_id": token_id, "tenant": tenant})
        if not found.deleted_count:
            raise Problem("token.not_found")

    async def valid(self, wanted: Row) -> list[Row]:
        """The tokens that match the query `wanted` and have not expired."""
        return [row async for row in self._rows.find({**wanted, "$expr": {"$gt": ["$expires_at", "$$NOW"]}})]
