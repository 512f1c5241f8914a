"""Tesseract through pytesseract: one run of the program gives words, boxes and confidences."""

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Final

import pytesseract
from PIL import Image

from services.ocr.pages import Line, Word
from services.ocr.recognition.reading import Reader
from services.ocr.text_layer import cleaned
from shared.errors import Rejected, Transient
from shared.harness.contract import Task

# Page segmentation modes: columns, tables and pictures are looked for; the page is one block of text.
COLUMNS: Final = 3
BLOCK: Final = 6

_WORD_LEVEL: Final = "5"
_CELLS: Final = 12  # level, page, block, paragraph, line, word, left, top, width, height, confidence, text
_DPI: Final = 300  # said to stop the engine from guessing; it measures letters by itself
_SPARE: Final = 4 * 1024 * 1024  # bytes that have to be left after a reading; its output is rarely one
_ASKED: Final = re.compile(r"[A-Za-z_]+")


@dataclass(frozen=True)
class Tesseract:
    """The program and its models: `program` is a name on PATH or a path, `tessdata` a folder or "" for the default.

    `seconds` bounds one reading.

    Every method raises Transient(provider_unavailable) where the program cannot be started.
    """

    program: str
    tessdata: str
    seconds: float

    def identity(self) -> str:
        """Name and version."""
        return f"tesseract {self.version()}"

    def version(self) -> str:
        """As the program prints it, such as "5.5.2"."""
        return _version(self.program)

    def installed(self) -> tuple[str, ...]:
        """The languages that can be read; asked once for the life of this process."""
        return _installed(self.program, self._models())

    def check(self, languages: tuple[str, ...]) -> None:
        """Raises Rejected(language_not_installed) for the first that is not."""
        installed = self.installed()
        for language in languages:
            if language not in installed or not _ASKED.fullmatch(language):
                facts = {"language": language[:40], "installed": ", ".join(installed) or "none"}
                raise Rejected("language_not_installed", **facts)

    def reader(self, task: Task, languages: tuple[str, ...]) -> Reader:
        """Reads pictures with files in the task's folder."""
        return partial(self.read, languages=languages, workdir=task.workdir)

    def block_reader(self, task: Task, languages: tuple[str, ...]) -> Reader:
        """Reads pictures as one block of text."""
        return partial(self.read, languages=languages, workdir=task.workdir, layout=BLOCK)

    def read(
        self, picture: Image.Image, languages: tuple[str, ...], *, workdir: Path, layout: int = COLUMNS
    ) -> tuple[Line, ...]:
        """The lines of a gray picture, laid out as COLUMNS or as one BLOCK.

        Raises Transient: timeout, crashed; OSError where `workdir` is full. Leaves nothing in `workdir`.
        """
        _start(self.program)
        pixels = workdir / "page.bmp"  # not compressed: a PNG costs the engine and us 0.13 s a page
        picture.save(pixels)
        try:
            with _temporary_files_in(workdir):
                return parsed(self._run(pixels, "+".join(languages), layout))
        finally:
            pixels.unlink()

    def _run(self, pixels: Path, languages: str, layout: int) -> str:
        config = f"{self._models()} --dpi {_DPI} --psm {layout}"
        try:
            rows: str = pytesseract.image_to_data(str(pixels), lang=languages, config=config, timeout=self.seconds)
        except pytesseract.TesseractNotFoundError as error:
            raise _missing(self.program) from error
        except pytesseract.TesseractError as error:
            raise Transient("crashed", detail=_plain(error)) from error
        except RuntimeError as error:  # pytesseract's way of saying that time is up
            raise Transient("timeout", what="Reading a page", limit=self.seconds) from error
        return rows

    def _models(self) -> str:
        return f"--tessdata-dir {shlex.quote(self.tessdata)}" if self.tessdata else ""


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Where pytesseract puts its output: Python would remember the folder of the first task, which is gone.

    The engine reports no error on a full disk: its output is cut off, and a page of text looks blank. So whatever
    was written where next to nothing was left does not count. Raises OSError.
    """
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        if shutil.disk_usage(folder).free < _SPARE:
            raise OSError(ENOSPC, "what the engine wrote may be cut off", str(folder))


def parsed(rows: str) -> tuple[Line, ...]:
    """The lines of Tesseract's TSV output, boxes in pixels."""
    cells = (row.split("\t") for row in rows.splitlines())
    words = [cell for cell in cells if len(cell) == _CELLS and cell[0] == _WORD_LEVEL and cell[11].strip()]
    lines: list[Line] = []
    before = None
    for (block, paragraph, _), run in groupby(words, key=lambda cell: (cell[2], cell[3], cell[4])):
        said = tuple(_word(cell) for cell in run)
        lines.append(Line(said, opens=(block, paragraph) != before))
        before = (block, paragraph)
    return tuple(lines)


def _word(cell: list[str]) -> Word:
    left, top, width, height = (float(number) for number in cell[6:10])
    return Word(cleaned(cell[11]).strip(), (left, top, left + width, top + height), max(0.0, float(cell[10])))


def _plain(error: pytesseract.TesseractError) -> str:
    if error.status < 0:
        return f"tesseract, signal {-error.status}"
    return f"tesseract, exit code {error.status}"  # its output may name files, or what it read


def _missing(program: str) -> Transient:
    return Transient("provider_unavailable", provider="Tesseract", detail=f"{program} cannot be started")


def _start(program: str) -> None:
    pytesseract.pytesseract.tesseract_cmd = program


@cache
def _version(program: str) -> str:
    _start(program)
    try:
        return str(pytesseract.get_tesseract_version())
    except (pytesseract.TesseractNotFoundError, OSError, SystemExit) as error:
        raise _missing(program) from error


@cache
def _installed(program: str, models: str) -> tuple[str, ...]:
    _start(program)
    try:
        found = pytesseract.get_languages(config=models)
    except (pytesseract.TesseractNotFoundError, OSError) as error:
        raise _missing(program) from error
    return tuple(sorted({language for language in found if language != "osd"}))
