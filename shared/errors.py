"""Three ways to fail: the input is bad (`Rejected`), the outside world is (`Transient`), or we are (anything else).

An error carries facts and a stable code; `describe` builds the sentence a person reads and what they can do.
"""

from typing import Any

from shared.error_catalog import describe


class PagestreamError(Exception):
    """An expected failure with a stable `code` and the `facts` its sentence is built from (JSON values only)."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        return describe(self.code, self.facts)[0]


class Rejected(PagestreamError):
    """The input itself is the reason; trying again gives the same answer."""


class Transient(PagestreamError):
    """The outside world is the reason; trying again later may help.

    `retry_after` is in seconds, as the other side asked for it, else None.
    """

    def __init__(self, code: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(code, **facts)
        self.retry_after = retry_after
