from services.ocr.pages import Line, Source, Word, concluded, merged, page, placed, scaled, slices, text_of
from shared.harness.contract import Plan
from shared.results import Page, RecognizedText
from tests.support.shapes import assert_shape


def line(text: str, top: float, *, opens: bool = False, confidence: float | None = None) -> Line:
    words = [Word(word, (50.0 * at, top, 50.0 * at + 40, top + 10), confidence) for at, word in enumerate(text.split())]
    return Line(tuple(words), opens)


def test_paragraphs_are_parted_by_an_empty_line() -> None:
    assert text_of([line("a b", 0, opens=True), line("c", 10), line("d", 20, opens=True)]) == "a b\nc\n\nd"


def test_confidence_is_weighted_by_letters() -> None:
    words = (Word("aaa", (0, 0, 1, 1), 90), Word("b", (0, 0, 1, 1), 50))
    assert page(1, [Line(words)], source="ocr", size=(1, 1))["confidence"] == 80


def test_a_blank_page_has_no_confidence() -> None:
    blank = page(7, [], source="ocr", size=(612, 792))
    assert (blank["page"], blank["text"], blank["words"], blank["confidence"]) == (7, "", [], None)


def test_a_moved_box_stays_a_box() -> None:
    (moved,) = placed([line("a", 10)], lambda x, y: (100 - x, 100 - y))
    assert moved.words[0].box == (60, 80, 100, 90)
    assert placed([moved], scaled(2, 0.5))[0].words[0].box == (120, 40, 200, 45)


def test_words_of_the_text_layer_replace_guesses_at_them() -> None:
    both = merged([line("Teh tot4l", 0, confidence=40), line("of scan", 50, confidence=90)], [line("The total", 0)])
    assert [found.text for found in both] == ["The total", "of scan"]


def test_a_line_of_the_text_layer_goes_where_it_stands() -> None:
    both = merged([line("first", 0), line("third", 50)], [line("second", 25), line("fourth", 70)])
    assert [found.text for found in both] == ["first", "second", "third", "fourth"]


def test_pages_to_be_recognised_go_one_by_one_and_text_in_runs() -> None:
    text: Source = "text_layer"
    made = slices("pdf", [*[text] * 40, "ocr", "ocr", text])
    assert [slice_.pages for slice_ in made] == [(1, 32), (33, 40), (41, 41), (42, 42), (43, 43)]
    assert made[2].weight > made[0].weight > made[4].weight


def test_every_offset_of_the_whole_leads_to_its_page() -> None:
    plan = Plan(engine="e", slices=slices("pdf", ["text_layer", "text_layer", "ocr", "ocr", "ocr"]))
    first = [page(1, [line("one", 0)], source="text_layer", size=(1, 1)), page(2, [], source="text_layer", size=(1, 1))]
    last = [page(5, [line("the fifth", 0, confidence=80)], source="ocr", size=(1, 1))]
    blank = [page(3, [], source="ocr", size=(1, 1))]
    whole = concluded(plan, [{"pages": first}, {"pages": blank}, None, {"pages": last}])
    assert whole["text"] == "one\n\nthe fifth"
    assert [whole["text"][each["start"] : each["end"]] for each in whole["pages"]] == ["one", "", "", "", "the fifth"]
    assert [each["status"] for each in whole["pages"]] == ["done", "done", "done", "failed", "done"]
    assert [each["page"] for each in whole["pages"]] == [1, 2, 3, 4, 5]
    assert whole["pages"][4]["confidence"] == 80


def test_pages_and_texts_have_the_shape_that_their_readers_know() -> None:
    plan = Plan(engine="e", slices=slices("pdf", ["ocr", "ocr"]))
    read = page(1, [line("sure", 0, confidence=80)], source="ocr", size=(1, 1))
    assert_shape(Page, read)
    assert_shape(Page, page(2, [line("exact", 0)], source="text_layer", size=(1, 1)))
    assert_shape(RecognizedText, concluded(plan, [{"pages": [read]}, None]))


def test_a_document_of_failures_has_empty_text() -> None:
    plan = Plan(engine="e", slices=slices("tiff", ["ocr", "ocr"]))
    whole = concluded(plan, [None, None])
    assert (whole["text"], [each["status"] for each in whole["pages"]]) == ("", ["failed", "failed"])
