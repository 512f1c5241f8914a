"""Text put together from a stream of fragments: what parts two of them counts once, however many tags say it."""

import re
from typing import Final

_SPACES: Final = re.compile(r"[ \t\r\n\f]+")  # a no-break space is none of them
_SPACE: Final = " "
_CELL: Final = "\t"
_LINE: Final = "\n"
_PARAGRAPH: Final = "\n\n"
_ORDER: Final = ("", _SPACE, _CELL, _LINE, _PARAGRAPH)


class Flow:
    """Collects text. Separators before the first fragment of a page and after its last one are dropped."""

    def __init__(self) -> None:
        self._pages: list[str] = []
        self._parts: list[str] = []
        self._pending = ""

    def text(self, said: str) -> None:
        """Words; any run of white space in them is one space."""
        words = _SPACES.sub(_SPACE, said)
        if words.startswith(_SPACE):
            self._part(_SPACE)
        if bare := words.strip(_SPACE):
            if self._parts:
                self._parts.append(self._pending)
            self._parts.append(bare)
            self._pending = _SPACE if words.endswith(_SPACE) else ""

    def space(self) -> None:
        """At least a space is next."""
        self._part(_SPACE)

    def cell(self) -> None:
        """Another cell of the row begins."""
        self._part(_CELL)

    def line(self) -> None:
        """Another line begins."""
        self._part(_LINE)

    def paragraph(self) -> None:
        """Another paragraph begins."""
        self._part(_PARAGRAPH)

    def page(self) -> None:
        """The page ends here, and may be blank."""
        self._pages.append("".join(self._parts))
        self._parts, self._pending = [], ""

    def turn(self) -> None:
        """The page ends here if there is something on it."""
        if self._parts:
            self.page()

    def pages(self) -> list[str]:
        """What was collected, the last page included where it has text; at least one."""
        return [*self._pages, "".join(self._parts)] if self._parts or not self._pages else list(self._pages)

    def _part(self, separator: str) -> None:
        self._pending = max(self._pending, separator, key=_ORDER.index)
