"""XML as a flow of text: what readers of word processor files have in common, whatever their elements are called."""

from typing import Final
from xml.parsers import expat

from services.ocr.formats.text_flow import Flow
from shared.errors import Rejected

_DEEPEST: Final = 500  # elements within elements; a slide of groups within groups has some dozens


class MarkupReader:
    """Collects the text of elements in `flow`. Those of one format say which are not read, and what the others do."""

    def __init__(self) -> None:
        self.flow = Flow()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._silent = 0  # how deep within an element that is not read
        self._said = 0  # how deep within elements of text, outside of which there is only white space
        self._cells = 0

    def parse(self, part: bytes, *, final: bool = True) -> None:
        """Read a part of the document, by default the only one. Raises expat.ExpatError."""
        self._parser.Parse(part, final)

    def is_silent(self, name: str) -> bool:
        """Whether an element is not read, with all that is in it."""
        raise NotImplementedError

    def begins(self, name: str, attributes: dict[str, str]) -> None:
        """An element that is read begins."""
        raise NotImplementedError

    def ends(self, name: str) -> None:
        """It ends."""
        raise NotImplementedError

    def _text(self, said: str) -> None:
        if self._said and not self._silent:
            self.flow.text(said)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._silent or self.is_silent(name):
            self._silent += 1
        else:
            self.begins(name, attributes)

    def _end(self, name: str) -> None:
        if self._silent:
            self._silent -= 1
        else:
            self.ends(name)


def check_depth(content: bytes) -> None:
    """Refuse XML that is nested so deeply that a reader which calls itself for each level would crash.

    Raises Rejected("corrupt_document"), ValueError for what is no XML.
    """
    depth = 0

    def begins(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise Rejected("corrupt_document", detail="its elements are nested too deeply")

    def ends(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler = begins
    parser.EndElementHandler = ends
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(why(error)) from None


def why(error: Exception) -> str:
    """What a reader of XML in a ZIP container met, in words of a closed list: an error's own may name its members."""
    if isinstance(error, expat.ExpatError):
        return f"{expat.ErrorString(error.code) or 'not well-formed'}, line {error.lineno}"
    return "a part is missing" if isinstance(error, KeyError) else "its container is damaged"
