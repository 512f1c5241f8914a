"""OLE compound files, the containers of Office before 2007: only their directory is read, to tell what they hold.

The layout is Microsoft's [MS-CFB], sections 2.2 (header) and 2.6 (directory entries).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import Rejected
from shared.media_types import Kind, unsupported

_HEADER: Final = 512
_ENTRY: Final = 128  # bytes; the name comes first in UTF-16, its length with the final zero at byte 64
_NAME_LENGTH: Final = 64
_SECTOR_SHIFTS: Final = (9, 12)
_LOOKED_AT: Final = 4096  # bytes of the directory; what tells the kind stands among the first entries

# A stream of this name, and what it makes of the file: a kind, or what it is refused as.
_STREAMS: Final[dict[str, Kind | str]] = {
    "Workbook": Kind.XLS,
    "Book": Kind.XLS,
    "WordDocument": "a Word document of before 2007 (doc)",
    "PowerPoint Document": "a PowerPoint presentation of before 2007 (ppt)",
    "__properties_version1.0": "an Outlook message (msg)",
}


def kind_of(path: Path) -> Kind:
    """What the compound file at `path` holds. Raises Rejected: encrypted, unsupported_type, corrupt_document."""
    with path.open("rb") as source:
        names = set(_names(source))
    if "EncryptedPackage" in names:  # how Office stores a new file under a password
        raise Rejected("encrypted")
    found = next((_STREAMS[name] for name in _STREAMS if name in names), "an old Office document")
    if isinstance(found, Kind):
        return found
    raise unsupported(found)


def _names(source: BinaryIO) -> Iterator[str]:
    """The names in the first sector of the directory, and in what follows it: writers put it in one run."""
    header = source.read(_HEADER)
    shift = int.from_bytes(header[30:32], "little")
    if len(header) < _HEADER or shift not in _SECTOR_SHIFTS:
        raise Rejected("corrupt_document", detail="its header cannot be read")
    source.seek((int.from_bytes(header[48:52], "little") + 1) << shift)
    directory = source.read(_LOOKED_AT)
    for at in range(0, len(directory) - _ENTRY + 1, _ENTRY):
        length = int.from_bytes(directory[at + _NAME_LENGTH : at + _NAME_LENGTH + 2], "little")
        if 2 < length <= _NAME_LENGTH:
            yield directory[at : at + length - 2].decode("utf-16-le", "replace")
