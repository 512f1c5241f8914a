"""The upload info of the documents that were seen last: the topic `updates` does not carry it."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from services.gateway.targets import DocumentKey
from shared.document.upload_info import NOTHING, UploadInfo
from shared.events.standalone_job import is_job_id

CAPACITY: Final = 20_000


class UploadInfoCache:
    """A bounded cache; upload info never changes."""

    def __init__(self) -> None:
        self._known: OrderedDict[DocumentKey, UploadInfo] = OrderedDict()

    def get(self, key: DocumentKey) -> UploadInfo | None:
        """The upload info of a document; None where it is not known."""
        return self._known.get(key)

    def put(self, key: DocumentKey, info: UploadInfo) -> None:
        """Keep the upload info of a document."""
        self._known[key] = info
        self._known.move_to_end(key)
        if len(self._known) > CAPACITY:
            self._known.popitem(last=False)

    def learn(self, key: DocumentKey, view: Mapping[str, Any]) -> UploadInfo:
        """Keep the upload info that a view shows. A standalone job has none: it is read anew each time."""
        if is_job_id(key.document_id):
            return NOTHING
        info = UploadInfo.of(view)
        self.put(key, info)
        return info
