import numpy as np
import pytest
from PIL import Image, ImageChops

from services.ocr.recognition.preparation import (
    eight_bits,
    flattened,
    is_blank,
    resized,
    skew,
    straightened,
    turned,
)
from tests.unit.ocr.documents import drawn


def shaded(picture: Image.Image) -> Image.Image:
    """The picture in a light that falls from 255 to 100 across it."""
    light = np.tile(np.linspace(255, 100, picture.width), (picture.height, 1)).astype(np.uint8)
    return ImageChops.multiply(picture, Image.fromarray(light))


def test_uneven_light_is_taken_out_and_print_stays() -> None:
    even = np.asarray(flattened(shaded(drawn())))
    assert np.percentile(even[:, -200:], 50) > 240
    assert even.min() < 60


def test_an_evenly_lit_page_is_left_as_it_is() -> None:
    page = drawn()
    assert flattened(page) is page


def test_light_print_on_dark_becomes_dark_print_on_light() -> None:
    assert np.median(np.asarray(flattened(ImageChops.invert(drawn())))) == 255


def test_noise_and_shadow_are_blank_and_print_is_not() -> None:
    noise = np.random.default_rng(5).normal(235, 4, (700, 1700)).clip(0, 255).astype(np.uint8)
    assert is_blank(flattened(shaded(Image.fromarray(noise))))
    assert not is_blank(flattened(shaded(drawn(("Total 38.99",)))))


@pytest.mark.parametrize("angle", [-8.0, -2.0, 0.0, 3.0, 12.0])
def test_skew_is_found_and_taken_back(angle: float) -> None:
    askew = drawn().rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    assert skew(askew) == pytest.approx(-angle, abs=0.5)
    assert abs(skew(straightened(askew, skew(askew)))) <= 0.5


def test_an_empty_sheet_has_no_skew() -> None:
    assert skew(Image.new("L", (300, 300), 255)) == 0


def test_turning_twice_is_no_turn() -> None:
    assert turned(turned(drawn())).tobytes() == drawn().tobytes()


def test_resizing_never_leaves_nothing() -> None:
    assert resized(Image.new("L", (1, 50)), 0.1).size == (1, 5)


def test_deep_samples_use_the_whole_range() -> None:
    deep = Image.fromarray(np.array([[1000, 2000], [3000, 5000]], dtype=np.uint16))
    assert np.asarray(eight_bits(deep)).tolist() == [[0, 63], [127, 255]]
