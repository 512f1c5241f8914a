"""What keys and tokens look like, and what is stored of them: only digests.

A secret has 256 random bits, so its plain SHA-256 gives nothing away and can be found by an index.
"""

import hashlib
import secrets
from typing import Final

DEFAULT_TENANT: Final = "default"  # owns everything while there are no keys; keys that name no tenant are of this one
KEY_PREFIX: Final = "psk_"
TOKEN_PREFIX: Final = "pst_"  # noqa: S105  the beginning of every token is no secret
PREFIX_LENGTH: Final = 4  # of both


def new_id() -> str:
    """A name for a key or a token, which is no secret."""
    return secrets.token_hex(6)


def new_secret(prefix: str) -> str:
    """`prefix` and 256 random bits, of characters that every header and address takes."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
