import pytest
from PIL import Image

from services.ocr.pages import Line, Word
from services.ocr.recognition.reading import read_picture, straightening, turning
from tests.unit.ocr.documents import drawn


class Upright:
    """An engine that reads a picture with its ink in the upper half well, and the other way round badly."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self, picture: Image.Image) -> tuple[Line, ...]:
        self.readings += 1
        rows = picture.resize((1, 2), Image.Resampling.BOX).tobytes()
        word = Word("harbour", (10, 20, 30, 40), 95) if rows[0] < rows[1] else Word("jnoqjey", (0, 0, 1, 1), 25)
        return (Line((word,)),)


def silent(picture: Image.Image) -> tuple[Line, ...]:
    """A second engine that finds nothing more."""
    return ()


def top_heavy() -> Image.Image:
    return drawn(("The harbour office wrote on Monday about the mooring",), size=(2000, 1000))


def test_a_page_that_reads_well_is_read_once() -> None:
    engine = Upright()
    (line,) = read_picture(top_heavy(), engine, silent)
    assert (line.text, engine.readings) == ("harbour", 1)


def test_a_page_on_its_head_is_read_again_and_its_boxes_are_those_of_the_page() -> None:
    engine = Upright()
    (line,) = read_picture(top_heavy().rotate(180), engine, silent)
    assert (line.text, engine.readings) == ("harbour", 2)
    assert line.words[0].box == (1970, 960, 1990, 980)


def test_the_better_reading_is_kept_when_none_is_good() -> None:
    page = top_heavy()

    def engine(picture: Image.Image) -> tuple[Line, ...]:
        upright = picture.tobytes() == page.tobytes()
        return (Line((Word("scrawl", (0, 0, 1, 1), 61 if upright else 10), Word("a" * 20, (0, 0, 1, 1), 20))),)

    (line,) = read_picture(page, engine, silent)
    assert line.words[0].confidence == 61


def test_a_blank_page_never_reaches_the_engine() -> None:
    engine = Upright()
    assert read_picture(Image.new("L", (800, 800), 250), engine, silent) == ()
    assert engine.readings == 0


def test_boxes_of_an_enlarged_page_are_those_of_the_page() -> None:
    small = drawn(("mooring ring",), size=(800, 400), font_size=24)
    (line,) = read_picture(small, lambda picture: (Line((Word("ring", (20, 40, 60, 80), 95),)),), silent)
    assert line.words[0].box == (10, 20, 30, 40)


def test_what_is_read_straightened_is_placed_on_the_skewed_page() -> None:
    page = Image.new("L", (1000, 1000), 255)
    middle = straightening(10, lambda picture: (Line((Word("x", (w := picture.width / 2, w, w, w), 95),)),))
    assert middle(page)[0].words[0].box == pytest.approx((500, 500, 500, 500))
    page.putpixel((800, 500), 0)
    straight = straightening(10, lambda picture: (Line((Word("x", _darkest(picture), 95),)),))
    assert straight(page)[0].words[0].box == pytest.approx((800, 500, 800, 500), abs=2)


def _darkest(picture: Image.Image) -> tuple[float, float, float, float]:
    at = min(range(picture.width * picture.height), key=picture.tobytes().__getitem__)
    return (at % picture.width, at // picture.width, at % picture.width, at // picture.width)


def test_turning_twice_gives_the_boxes_back() -> None:
    engine = turning(turning(lambda picture: (Line((Word("x", (1, 2, 3, 4), 95),)),)))
    assert engine(Image.new("L", (50, 60)))[0].words[0].box == (1, 2, 3, 4)


def test_what_the_first_reading_left_out_is_added_by_a_second_one() -> None:
    page = Image.new("L", (1700, 1700), 255)
    for x in (200, 1200):
        page.paste(0, (x, 200, x + 300, 260))
    label, price = Word("Total", (200, 200, 500, 260), 95), Word("38.99", (1200, 202, 1500, 258), 90)
    guess = Word("~", (100, 900, 120, 920), 99)
    (line,) = read_picture(page, lambda _: (Line((label,)),), lambda _: (Line((price,)), Line((guess,))))
    assert line.text == "Total 38.99"


def test_the_second_engine_is_shown_what_the_first_left_out() -> None:
    page = Image.new("L", (1700, 1700), 255)
    for x in (200, 1200):
        page.paste(0, (x, 200, x + 300, 260))
    shown: list[Image.Image] = []

    def second(picture: Image.Image) -> tuple[Line, ...]:
        shown.append(picture)
        return ()

    read_picture(page, lambda _: (Line((Word("Total", (200, 200, 500, 260), 95),)),), second)
    (left,) = shown
    assert min(left.crop((0, 0, 850, 1700)).getextrema()) == 255
    assert min(left.crop((850, 0, 1700, 1700)).getextrema()) == 0


def test_a_page_without_ink_outside_of_its_words_is_read_once() -> None:
    page = Image.new("L", (1700, 1700), 255)
    page.paste(0, (200, 200, 500, 260))

    def second(_: Image.Image) -> tuple[Line, ...]:
        raise AssertionError("it was read a second time")

    assert read_picture(page, lambda _: (Line((Word("Total", (200, 200, 500, 260), 95),)),), second)
