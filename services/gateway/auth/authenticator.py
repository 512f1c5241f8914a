"""Finds out who calls: keys and tokens in the control database, asked anew at least once a second."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from services.gateway.auth.callers import LOCAL, Caller
from services.gateway.auth.tokens import Tokens
from services.gateway.concurrency.batch_loader import BatchLoader
from services.gateway.problems import Problem
from shared.errors import Rejected
from shared.storage.api_keys import Keys
from shared.storage.credentials import KEY_PREFIX, PREFIX_LENGTH, TOKEN_PREFIX, digest
from shared.storage.mongo import Row

LOOK_EVERY: Final = 1.0  # seconds for which an answer of the database is trusted


class Authenticator:
    """`open_house`: while there are no keys, every caller that reaches the address is the one tenant."""

    def __init__(self, keys: Keys, tokens: Tokens, *, open_house: bool) -> None:
        self._keys = keys
        self._tokens = tokens
        self._open_house = open_house
        self._any_keys = True  # until the database was asked
        self._lookups = BatchLoader(self._look_up)
        self._known: dict[str, Caller] = {}

    @property
    def required(self) -> bool:
        """Whether only those who sign in are served."""
        return self._any_keys or not self._open_house

    async def prepare(self, host: str) -> None:
        """Create the indexes. Raises Rejected("no_keys") where strangers reach `host` and there are no keys."""
        await self._keys.prepare()
        await self._tokens.prepare()
        self._any_keys = await self._keys.any()
        if not self._any_keys and not self._open_house:
            raise Rejected("no_keys", host=host)

    async def caller(self, secret: str | None) -> Caller:
        """Who presents `secret`; one that is presented must be right. Raises Problem("sign_in"), driver's errors."""
        if secret is None:
            if self.required:
                raise Problem("sign_in")
            return LOCAL
        place = digest(secret)
        found = self._known.get(place) or await self._lookups.get((secret[:PREFIX_LENGTH], place))
        if found is None:
            raise Problem("sign_in")
        self._known[place] = found
        return found

    async def refresh(self) -> None:
        """Trust nothing that was known before. Raises the driver's errors."""
        self._known.clear()
        self._any_keys = self._any_keys or await self._keys.any()

    async def lost(self, callers: Iterable[Caller]) -> set[Caller]:
        """Which of them may not call any more: revoked, expired, or made with a key that is. Raises driver's errors."""
        asked = set(callers)
        keys = {caller.id_of("key") for caller in asked} - {""}
        tokens = {caller.id_of("token") for caller in asked} - {""}
        still = set() if self.required else {LOCAL.name}
        if keys:
            still |= {_key_holder(row).name for row in await self._keys.valid({"_id": {"$in": list(keys)}})}
        if tokens:
            still |= {caller.name for caller in await self._token_holders({"_id": {"$in": list(tokens)}})}
        return {caller for caller in asked if caller.name not in still}

    async def holders(self, wanted: Row) -> list[Caller]:
        """The callers of the tokens that match the query `wanted` and are good now. Raises the driver's errors."""
        return list(await self._token_holders(wanted))

    async def _look_up(self, places: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Caller]:
        keys = [place for prefix, place in places if prefix == KEY_PREFIX]
        tokens = [place for prefix, place in places if prefix == TOKEN_PREFIX]
        found: dict[tuple[str, str], Caller] = {}
        if keys:
            rows = await self._keys.valid({"digest": {"$in": keys}})
            found |= {(KEY_PREFIX, row["digest"]): _key_holder(row) for row in rows}
        if tokens:
            holders = await self._token_holders({"digest": {"$in": tokens}})
            found |= {(TOKEN_PREFIX, place): caller for caller, place in holders.items()}
        return found

    async def _token_holders(self, wanted: Row) -> dict[Caller, str]:
        """The callers of valid tokens and the digest of each token. A token lives no longer than its key."""
        rows = await self._tokens.valid(wanted)
        issuers = {row["issuer"] for row in rows} - {""}
        alive = {row["_id"] for row in await self._keys.valid({"_id": {"$in": list(issuers)}})} if issuers else set()
        if not self.required:
            alive.add("")
        return {_token_holder(row): row["digest"] for row in rows if row["issuer"] in alive}


def _key_holder(row: Row) -> Caller:
    return Caller(row["tenant"], f"key:{row['_id']}")


def _token_holder(row: Row) -> Caller:
    return Caller(
        tenant=row["tenant"],
        name=f"token:{row['_id']}",
        right=row["right"],
        document_id=row["document_id"],
        batch=row["batch"],
        issuer=row["issuer"],
        expires_at=row["expires_at"],
    )
