"""What an uploaded file is: its first bytes tell, and for containers what is in them."""

from pathlib import Path
from typing import Final

from services.ocr.formats import ole_compound, zip_containers
from shared.media_types import Kind, sniff

HEAD_BYTES: Final = 64 * 1024  # enough for every signature, and for a fair look at plain text


def kind_of(path: Path) -> Kind:
    """The kind of the file at `path`, never one of the families ZIPPED and OLE.

    Raises Rejected: empty_file, unsupported_type, encrypted, corrupt_document.
    """
    with path.open("rb") as source:
        kind = sniff(source.read(HEAD_BYTES))
    match kind:
        case Kind.ZIPPED | Kind.DOCX | Kind.XLSX | Kind.PPTX | Kind.ODT | Kind.ODS | Kind.ODP:
            return zip_containers.kind_of(path)
        case Kind.OLE:
            return ole_compound.kind_of(path)
        case _:
            return kind
