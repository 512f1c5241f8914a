"""What an uploader said of a document that readers are shown and the log does not hold: its name, batch and tags."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self


class UploadInfo(NamedTuple):
    """Never changes after the upload. It is in the document's `meta` blob, in its row and in its view."""

    filename: str = ""
    batch: str | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """The one in a meta blob, a row or a view; what an older release did not write is empty."""
        return cls(str(found["filename"]), found.get("batch"), tuple(found.get("tags") or ()))

    def to_row(self) -> dict[str, Any]:
        """Its JSON values by name."""
        return {"filename": self.filename, "batch": self.batch, "tags": list(self.tags)}


NOTHING = UploadInfo()


def without(view: Mapping[str, Any]) -> dict[str, Any]:
    """The view as it may stand on the topic `updates`: without what an uploader said."""
    return {name: value for name, value in view.items() if name not in UploadInfo._fields}
