"""How a call can end without an answer (Pagestream refuses, or is not there), and a connection without its end."""

from collections.abc import Mapping
from typing import Any, Final

# Socket close codes after which coming back would change nothing (docs/protocol.md) -> (code, sentence, action).
FINAL_CLOSES: Final[Mapping[int, tuple[str, str, str]]] = {
    4400: ("bad_frame", "Pagestream did not understand what this client sent.", "Use a client of the same version."),
    4401: ("sign_in", "Pagestream asks for a key.", "Use a valid key; the command reads PAGESTREAM_KEY."),
    4403: ("not_allowed", "This key lacks the right to watch.", "Use a key with the right to read."),
    4404: ("document.not_found", "There is no such document.", "Check the id: `pagestream list` shows yours."),
}


class Refused(Exception):
    """Pagestream answered, and the answer is no.

    `code` is stable, `sentence` and `action` (may be empty) are for people, `status` is the HTTP status or close code.
    """

    def __init__(self, code: str, sentence: str, action: str = "", status: int = 0) -> None:
        super().__init__(code, sentence, action, status)
        self.code = code
        self.sentence = sentence
        self.action = action
        self.status = status

    def __str__(self) -> str:
        return f"{self.sentence} {self.action}".strip()


class Unreachable(Exception):
    """`url` does not answer; `detail` holds how the attempt ended."""

    def __init__(self, url: str, detail: str = "") -> None:
        super().__init__(url, detail)
        self.url = url
        self.detail = detail

    def __str__(self) -> str:
        return f"No Pagestream at {self.url} — start it with `pagestream up`"


class Lost(Exception):
    """A connection ended, and the client should come back; the words say why."""


class Unanswered(Lost):
    """The connection could not be opened."""

    def __init__(self) -> None:
        super().__init__("Pagestream does not answer")


class Blocked(Exception):
    """Something in between lets no WebSocket through."""


def from_problem(status: int, body: object) -> Refused:
    """Read an RFC 9457 problem document; a body that is none (a proxy's page) still gives a sentence."""
    problem = body if isinstance(body, dict) else {}
    sentence = problem.get("detail") or problem.get("title") or f"Pagestream answered with status {status}."
    return Refused(str(problem.get("code") or f"http_{status}"), str(sentence), _text(problem, "action"), status)


def from_error_frame(error: Mapping[str, Any]) -> Refused:
    """Read the `error` of an `{"op": "error"}` frame, which carries the same facts as a problem document."""
    sentence = _text(error, "detail") or _text(error, "message") or _text(error, "title")
    code = str(error.get("code") or "unknown")
    return Refused(code, sentence or f"Pagestream answered with {code}.", _text(error, "action"))


def from_close(code: int) -> Refused | None:
    """The refusal a close code stands for, or None where the client should come back (1001, 1006, 1012, 4408, 4429)."""
    final = FINAL_CLOSES.get(code)
    return Refused(*final, status=code) if final else None


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""
