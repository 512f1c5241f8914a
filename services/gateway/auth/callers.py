"""Who calls, and what they may: a tenant's key everything of the tenant, a token one document or one batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from services.gateway.problems import Problem
from services.gateway.targets import Target
from shared.storage.credentials import DEFAULT_TENANT, KEY_PREFIX

Right = Literal["read", "control", "all"]

_GRANTS: Final[dict[Right, frozenset[Right]]] = {
    "read": frozenset({"read"}),
    "control": frozenset({"read", "control"}),  # retry and cancel; erasing cannot be undone and needs a key
    "all": frozenset({"read", "control", "all"}),
}
_BEARER: Final = "bearer "
_OFFERED: Final = "bearer."


@dataclass(frozen=True)
class Caller:
    """A caller that signed in, or any caller on this machine while there are no keys.

    `name` tells callers apart: `key:ID`, `token:ID`, or `local`.
    """

    tenant: str
    name: str
    right: Right = "all"
    document_id: str | None = None  # of a token: the one document it is for, or
    batch: str | None = None  # the one batch
    issuer: str = ""  # of a token: the id of the key it was made with, empty where there was none
    expires_at: datetime | None = None

    def id_of(self, kind: Literal["key", "token"]) -> str:
        """The id of the key or token that they came with, empty for anybody who came with none of this kind."""
        found, _, name = self.name.partition(":")
        return name if found == kind else ""

    def require_all(self) -> None:
        """Raise Problem("not_allowed") unless everything of the tenant is theirs."""
        if self.right != "all":
            raise Problem("not_allowed")

    def require(self, right: Right, document_id: str) -> None:
        """Raise Problem("not_allowed") unless they have `right` on the document, whether it exists or not.

        For a token on a batch `require_member` checks the rest.
        """
        covered = self.right == "all" or self.batch is not None or document_id == self.document_id
        if right not in _GRANTS[self.right] or not covered:
            raise Problem("not_allowed")

    def require_member(self, view: Mapping[str, Any]) -> None:
        """Raise Problem("not_allowed") for a token on a batch that the document is not in."""
        if self.batch is not None and view.get("batch") != self.batch:
            raise Problem("not_allowed")

    def require_watching(self, target: Target) -> None:
        """Raise Problem("not_allowed") unless they may be shown `target`."""
        if target.kind == "document":
            self.require("read", target.name)
        elif self.batch is None or (target.kind, target.name) != ("batch", self.batch):
            self.require_all()


LOCAL: Final = Caller(DEFAULT_TENANT, "local")


def right_for(method: str) -> Right:
    """What a call by this HTTP method on a document takes."""
    if method in ("GET", "HEAD"):
        return "read"
    return "all" if method == "DELETE" else "control"


def secret_of(authorization: str | None, query: str, offered: Sequence[str] = ()) -> str | None:
    """The key or token of a request: in its header, among the offered subprotocols, or (tokens only) as `?token=`.

    Raises Problem("key_in_address"): addresses end up in histories and logs.
    """
    if authorization and authorization[: len(_BEARER)].lower() == _BEARER:
        return authorization[len(_BEARER) :].strip()
    for protocol in offered:
        if protocol.startswith(_OFFERED):
            return protocol.removeprefix(_OFFERED)
    secret = next(iter(parse_qs(query).get("token", ())), None)
    if secret and secret.startswith(KEY_PREFIX):
        raise Problem("key_in_address")
    return secret
