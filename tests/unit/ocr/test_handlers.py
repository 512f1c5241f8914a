import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from fpdf import FPDF

from services.ocr import handlers
from shared.errors import Rejected
from shared.harness.contract import Plan, Result, Task
from tests.unit.ocr.conftest import TaskOf, configure
from tests.unit.ocr.documents import LETTER, drawn

pytestmark = pytest.mark.usefixtures("ocr")


def run(task: Task) -> tuple[Plan, Sequence[Result], Result]:
    plan = handlers.plan(task)
    results = [handlers.work(task, slice_) for slice_ in plan.slices]
    return plan, results, handlers.conclude(task, plan, results)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


def test_a_document_of_text_and_scans_becomes_one_text(path: Path, task_of: TaskOf) -> None:
    document = FPDF(unit="pt", format=(600, 800))
    document.set_font("Helvetica", size=12)
    document.add_page()
    document.text(50, 60, "Minutes of the harbour board")
    for turn in (0, 180):
        document.add_page()
        document.image(drawn(size=(1700, 2200)).rotate(turn), 0, 0, 600, 800)
    document.output(str(path))
    task = task_of(path)
    plan, results, whole = run(task)
    assert whole["text"].split() == " ".join(("Minutes of the harbour board", *LETTER, *LETTER)).split()
    assert [page["source"] for page in whole["pages"]] == ["text_layer", "ocr", "ocr"]
    parts = [whole["text"][page["start"] : page["end"]] for page in whole["pages"]]
    assert parts == [result["pages"][0]["text"] for result in results]
    assert plan.page_count == 3
    upright, upside_down = (result["pages"][0]["words"][0]["box"] for result in results[1:])
    assert upside_down[1] > 600
    assert upright[1] < 100
    assert list(task.workdir.iterdir()) == []
    json.dumps([results, whole], allow_nan=False).encode()


def test_the_engine_of_a_plan_names_all_that_shapes_its_result(path: Path, task_of: TaskOf) -> None:
    drawn().save(path, format="PNG")
    engine = handlers.plan(task_of(path)).engine
    assert engine.startswith("tesseract ")
    assert all(part in engine for part in (" eng", "preparation ", "40000000 pixels"))


def test_a_picture_named_otherwise_is_read(path: Path, task_of: TaskOf) -> None:
    drawn(LETTER[:1]).save(path.with_suffix(".pdf"), format="PNG")
    _, _, whole = run(task_of(path.with_suffix(".pdf")))
    assert whole["text"] == LETTER[0]


def test_a_blank_scan_completes_without_text(path: Path, task_of: TaskOf) -> None:
    drawn(()).save(path, format="JPEG")
    _, _, whole = run(task_of(path))
    assert whole["text"] == ""
    assert [(page["status"], page["confidence"]) for page in whole["pages"]] == [("done", None)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Größe\r\nzwei\0".replace("\0", "").encode(), "Größe\nzwei"),
        ("日本語".encode("utf-16"), "日本語"),
        (b"Gr\xf6\xdfe 1.204,50", "Größe 1.204,50"),
    ],
)
def test_plain_text_is_one_page(data: bytes, text: str, path: Path, task_of: TaskOf) -> None:
    path.write_bytes(data)
    plan, results, whole = run(task_of(path))
    assert (whole["text"], len(plan.slices), plan.page_count) == (text, 1, 1)
    assert results[0]["pages"][0]["source"] == "text_layer"


def test_too_much_plain_text_is_refused(path: Path, task_of: TaskOf, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, MAX_TEXT_BYTES=10)
    path.write_text("eleven byte")
    with pytest.raises(Rejected) as refused:
        handlers.plan(task_of(path))
    assert (refused.value.code, refused.value.facts["limit"]) == ("too_large", "10 bytes")


def test_a_language_of_the_document_comes_before_the_setting(path: Path, task_of: TaskOf) -> None:
    drawn(LETTER[:1]).save(path, format="PNG")
    with pytest.raises(Rejected) as refused:
        handlers.plan(task_of(path, "eng", "tlh"))
    assert (refused.value.code, refused.value.facts["language"]) == ("language_not_installed", "tlh")


def test_every_page_is_announced(path: Path, task_of: TaskOf) -> None:
    document = FPDF()
    document.set_font("Helvetica", size=12)
    for number in range(3):
        document.add_page()
        document.text(20, 20, f"Meeting number {number}")
    document.output(str(path))
    told: list[tuple[str, float, int]] = []
    quiet = task_of(path)
    task = Task(quiet.document, quiet.source, quiet.workdir, tick=lambda code, at, page: told.append((code, at, page)))
    run(task)
    assert [(code, page) for code, _, page in told] == [("ocr.reading_page", number) for number in (1, 2, 3)]
    assert [at for _, at, _ in told] == sorted(at for _, at, _ in told)


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    configure(monkeypatch, LANGUAGES="eng; rm")
    with pytest.raises(SystemExit):
        handlers.settings()
    assert "PAGESTREAM_OCR_LANGUAGES" in capsys.readouterr().err
