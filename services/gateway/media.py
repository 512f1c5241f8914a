"""The media type of an upload, told from its first bytes; the OCR stage looks closer with the same table."""

from typing import Final

from shared import media

HEAD: Final = 4096  # bytes that `sniff` wants to see


def sniff(head: bytes) -> str:
    """The media type of the document that begins with `head`, of which no more than HEAD bytes are looked at.

    Raises Rejected: empty_file, or unsupported_type with what was found.
    """
    return media.MEDIA_TYPES[media.sniff(head[:HEAD])]
