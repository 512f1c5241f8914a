"""HTML as text: what stands in it in its order. Nothing of it runs, and nothing it names is fetched."""

import codecs
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Final

from services.ocr.formats.text_flow import Flow
from shared.media_types import encoding_of

_DECLARED: Final = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_LOOKED_AT: Final = 4096  # bytes in which an encoding is declared; the standard asks for 1024
_LONGEST_TAG: Final = 16 * 1024  # characters; what is longer is no tag
_RAW: Final = ("script", "style")  # what stands in them is no markup
_SILENT: Final = frozenset({"head", "script", "style", "template", "svg", "math"})
_LINES: Final = frozenset({"br", "div", "li", "tr", "dt", "dd", "caption", "option", "label", "legend"})
_PARAGRAPHS: Final = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "section", "article"}
    | {"header", "footer", "nav", "aside", "main", "address", "form", "fieldset", "figure", "hr", "body"}
)
_CELLS: Final = frozenset({"td", "th"})


def decoded(data: bytes) -> str:
    """The source of a web page: by its byte order mark, by what it declares, else as plain text is decoded."""
    declared = _DECLARED.search(data[:_LOOKED_AT])
    guessed = encoding_of(data) or "cp1252"
    name = declared[1].decode("ascii").lower() if declared else guessed
    if guessed in ("utf-16", "utf-8-sig") or name.startswith("utf-16") or not _is_known(name):
        name = guessed  # a declaration that could be read as ASCII does not speak of UTF-16
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return data.decode(guessed, "replace")


def text_of(source: str) -> str:
    """The text of a web page: a blank line between paragraphs, tabs between the cells of a table."""
    reader = _Reader()
    reader.feed(_tamed(source))
    reader.close()
    return "\n\n".join(reader.flow.pages())


def _tamed(source: str) -> str:
    """The same page for `html.parser`, which looks to the end of the page for the end of each construct.

    Many that do not end take it quadratic time. So comments, declarations, scripts and styles, which say nothing, are
    left out, and a `<` whose construct does not end soon stands for itself. One pass: a search that finds nothing is
    not made again.
    """
    folded = source.lower()
    kept: list[str] = []
    at = 0
    hopeless: set[str] = set()

    def end_of(mark: str, start: int) -> int:
        found = -1 if mark in hopeless else folded.find(mark, start)
        if found < 0:
            hopeless.add(mark)
        return found

    closing = -1  # where the next `>` is, or the end of the page
    while (start := source.find("<", at)) >= 0:
        kept.append(source[at:start])
        if closing < start:
            closing = source.find(">", start) % (len(source) + 1)
        close = closing if source[closing : closing + 1] and closing - start < _LONGEST_TAG else -1
        at = start + 1
        raw = next((name for name in _RAW if _begins(folded, name, start)), None)
        if raw and (end := end_of(f"</{raw}", start)) >= 0:
            at = end
        elif source.startswith("<!--", start) and (end := end_of("-->", start + 2)) >= 0:
            at = end + 3  # `<!-->` is a whole comment too
        elif source.startswith(("<!", "<?"), start) and close >= 0 and not source.startswith("<!--", start):
            at = close + 1
        else:
            kept.append("<" if close >= 0 and not source.startswith("<!--", start) else "&lt;")
    kept.append(source[at:])
    return "".join(kept)


def _begins(folded: str, name: str, start: int) -> bool:
    """Whether the start tag of the element `name` begins at `start`."""
    end = start + 1 + len(name)
    return folded.startswith(name, start + 1) and folded[end : end + 1] in (" ", "\t", "\n", "\r", "\f", "/", ">")


def _is_known(encoding: str) -> bool:
    try:
        return codecs.lookup(encoding)._is_text_encoding
    except (LookupError, ValueError):
        return False


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow()
        self._silent: str | None = None  # the element whose end makes text count again
        self._verbatim = 0
        self._breaks: Mapping[str, Callable[[], None]] = {
            **dict.fromkeys(_LINES, self.flow.line),
            **dict.fromkeys(_PARAGRAPHS, self.flow.paragraph),
            **dict.fromkeys(_CELLS, self.flow.cell),
        }

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._silent = None  # a head without an end tag ends here
        elif self._silent is None and tag in _SILENT:
            self._silent = tag
        self._verbatim += tag == "pre"
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._silent = None
        self._verbatim -= tag == "pre" and self._verbatim > 0
        if tag not in _CELLS:  # the next cell begins by itself, and after the last one comes no tab
            self._break(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._silent is not None:
            return
        if not self._verbatim:
            self.flow.text(data)
            return
        for line in data.splitlines(keepends=True):
            self.flow.text(line)
            if line.endswith("\n"):
                self.flow.line()

    def _break(self, tag: str) -> None:
        if (parting := self._breaks.get(tag)) is not None:
            parting()
