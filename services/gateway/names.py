"""The file names of the documents that were seen last: the topic `updates` does not carry them."""

from collections import OrderedDict
from typing import Final

from services.gateway.frames import View
from services.gateway.mongo import DocumentKey

MOST: Final = 20_000


class Names:
    """A bounded cache; a document's name never changes."""

    def __init__(self) -> None:
        self._names: OrderedDict[DocumentKey, str] = OrderedDict()

    def get(self, key: DocumentKey) -> str | None:
        """The name of a document, None where it is not known."""
        return self._names.get(key)

    def see(self, key: DocumentKey, view: View) -> None:
        """Remember the name in a view; a standalone job has none, and is read anew each time."""
        if "filename" in view:
            self.put(key, view["filename"])

    def put(self, key: DocumentKey, filename: str) -> None:
        """Remember a name."""
        self._names[key] = filename
        self._names.move_to_end(key)
        if len(self._names) > MOST:
            self._names.popitem(last=False)
