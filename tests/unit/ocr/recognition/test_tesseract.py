import time
from pathlib import Path

import pytest

from services.ocr.pages import confidence_of, text_of, words_of
from services.ocr.recognition.tesseract import Tesseract, parsed
from shared.errors import Rejected, Transient
from shared.harness.sandbox.child import describe_failure
from tests.support.small_disk import mounted
from tests.unit.ocr.documents import LETTER, drawn

HEADER = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"


def row(block: int, paragraph: int, line: int, text: str, confidence: float = 90) -> str:
    return f"5\t1\t{block}\t{paragraph}\t{line}\t1\t10\t20\t30\t40\t{confidence}\t{text}\n"


def program(path: Path, script: str, seconds: float = 60) -> Tesseract:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Tesseract(str(path), "", seconds)


def test_lines_and_paragraphs_are_kept() -> None:
    rows = HEADER + row(1, 1, 1, "a") + row(1, 1, 1, "b") + row(1, 1, 2, "c") + row(1, 2, 1, "d") + row(2, 1, 1, "e")
    assert text_of(parsed(rows)) == "a b\nc\n\nd\n\ne"


def test_a_word_has_its_box_and_confidence() -> None:
    (line,) = parsed(HEADER + row(1, 1, 1, "x", 87.5))
    assert (line.words[0].box, line.words[0].confidence) == ((10, 20, 40, 60), 87.5)


def test_layout_rows_and_empty_words_are_no_words() -> None:
    assert parsed(HEADER + "4\t1\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t\n" + row(1, 1, 1, " ")) == ()


def test_a_page_is_read_with_places_and_confidence(tesseract: tuple[str, str], tmp_path: Path) -> None:
    lines = Tesseract(*tesseract, 60).read(drawn(), ("eng",), workdir=tmp_path)
    assert tuple(line.text for line in lines) == LETTER
    assert (confidence_of(words_of(lines)) or 0) > 85
    x0, y0, x1, y1 = lines[0].words[0].box
    assert 95 < x0 < x1 < 220
    assert 95 < y0 < y1 < 160
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_read_on_a_full_disk_is_not_called_blank(tesseract: tuple[str, str], tmp_path: Path) -> None:
    engine, page = Tesseract(*tesseract, 60), drawn()
    with mounted(tmp_path / "disk") as disk:
        assert engine.read(page, ("eng",), workdir=disk.folder)
        # The pixels fit; the engine's output does not, and it says nothing.
        disk.fill(but=page.width * page.height + 4096)
        with pytest.raises(OSError, match="cut off") as full:
            engine.read(page, ("eng",), workdir=disk.folder)
    assert describe_failure(full.value)["code"] == "temporary_full"


def test_each_task_has_its_own_folder(tesseract: tuple[str, str], tmp_path: Path) -> None:
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        assert Tesseract(*tesseract, 60).read(drawn(LETTER[:1]), ("eng",), workdir=folder)
        folder.rmdir()  # as the harness does; it is empty


def test_the_version_and_the_languages_are_told(tesseract: tuple[str, str]) -> None:
    engine = Tesseract(*tesseract, 60)
    assert int(engine.version().split(".")[0]) >= 4
    assert "eng" in engine.installed()
    engine.check(("eng",))


@pytest.mark.parametrize("language", ["xyz", "eng --psm 0", "../eng", "", "osd"])
def test_a_language_that_is_not_installed_is_refused(language: str, tesseract: tuple[str, str]) -> None:
    with pytest.raises(Rejected) as refused:
        Tesseract(*tesseract, 60).check(("eng", language))
    assert (refused.value.code, refused.value.facts["language"]) == ("language_not_installed", language)
    assert "eng" in refused.value.facts["installed"]


def test_a_program_that_hangs_is_stopped_in_time(tmp_path: Path) -> None:
    engine = program(tmp_path / "hangs", "exec sleep 60", 0.3)
    started = time.monotonic()
    with pytest.raises(Transient) as stopped:
        engine.read(drawn(), ("eng",), workdir=tmp_path)
    assert (stopped.value.code, stopped.value.facts["limit"]) == ("timeout", 0.3)
    assert time.monotonic() - started < 10
    assert [left.name for left in tmp_path.iterdir()] == ["hangs"]


@pytest.mark.parametrize(
    ("script", "detail"), [("kill -SEGV $$", "signal 11"), ("echo no pixels >&2; exit 3", "exit code 3")]
)
def test_a_program_that_crashes_says_how(script: str, detail: str, tmp_path: Path) -> None:
    with pytest.raises(Transient) as crashed:
        program(tmp_path / "crashes", script).read(drawn(), ("eng",), workdir=tmp_path)
    assert crashed.value.code == "crashed"
    assert detail in crashed.value.facts["detail"]


def test_a_missing_program_is_a_provider_that_is_away(tmp_path: Path) -> None:
    engine = Tesseract(str(tmp_path / "nowhere"), "", 1)
    for ask in (engine.version, engine.installed, lambda: engine.read(drawn(), ("eng",), workdir=tmp_path)):
        with pytest.raises(Transient) as away:
            ask()
        assert away.value.code == "provider_unavailable"
