"""What uploaders said of the documents that were seen last: the topic `updates` does not carry it."""

from collections import OrderedDict
from typing import Final

from services.gateway.live.frames import View
from services.gateway.targets import DocumentKey
from shared.document.upload_info import NOTHING, UploadInfo
from shared.events.standalone_job import is_job_id

MOST: Final = 20_000


class UploadInfoCache:
    """A bounded cache; what was said at an upload never changes."""

    def __init__(self) -> None:
        self._given: OrderedDict[DocumentKey, UploadInfo] = OrderedDict()

    def get(self, key: DocumentKey) -> UploadInfo | None:
        """What is known of a document, None where nothing is."""
        return self._given.get(key)

    def put(self, key: DocumentKey, given: UploadInfo) -> None:
        """Remember what was said of a document."""
        self._given[key] = given
        self._given.move_to_end(key)
        if len(self._given) > MOST:
            self._given.popitem(last=False)

    def learn(self, key: DocumentKey, view: View) -> UploadInfo:
        """Remember what a view shows of it; of a standalone job nothing: it is read anew each time."""
        if is_job_id(key.document_id):
            return NOTHING
        given = UploadInfo.of(view)
        self.put(key, given)
        return given
