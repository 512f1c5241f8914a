"""What uploaders said of the documents that were seen last: the topic `updates` does not carry it."""

from collections import OrderedDict
from typing import Final

from services.gateway.frames import View
from services.gateway.mongo import DocumentKey
from shared.given import NOTHING, Given
from shared.standalone import is_job_id

MOST: Final = 20_000


class Memory:
    """A bounded cache; what was said at an upload never changes."""

    def __init__(self) -> None:
        self._given: OrderedDict[DocumentKey, Given] = OrderedDict()

    def get(self, key: DocumentKey) -> Given | None:
        """What is known of a document, None where nothing is."""
        return self._given.get(key)

    def put(self, key: DocumentKey, given: Given) -> None:
        """Remember what was said of a document."""
        self._given[key] = given
        self._given.move_to_end(key)
        if len(self._given) > MOST:
            self._given.popitem(last=False)

    def learn(self, key: DocumentKey, view: View) -> Given:
        """Remember what a view shows of it; of a standalone job nothing: it is read anew each time."""
        if is_job_id(key.document_id):
            return NOTHING
        given = Given.of(view)
        self.put(key, given)
        return given
