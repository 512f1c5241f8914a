"""The close codes of the socket, and their meanings in the AsyncAPI document."""

from typing import Final

RESTART: Final = 1012  # RFC 6455's registry: the service restarts
TRY_AGAIN_LATER: Final = 1013
BAD_FRAME: Final = 4400
SIGN_IN: Final = 4401
NOT_ALLOWED: Final = 4403
NOT_FOUND: Final = 4404
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429

MEANINGS: Final = {
    BAD_FRAME: "bad frame",
    SIGN_IN: "sign in",
    NOT_ALLOWED: "the token lacks the right",
    NOT_FOUND: "no such document",
    TOO_SLOW: "too slow",
    TOO_MANY: "too many",
    RESTART: "restart",
    TRY_AGAIN_LATER: "try again later",
}

# The HTTP status of a refusal → the code that closes a socket for the same reason.
OF_STATUS: Final = {401: SIGN_IN, 403: NOT_ALLOWED, 429: TOO_MANY}
