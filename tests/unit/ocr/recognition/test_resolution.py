from math import inf, nan

import pytest

from services.ocr.recognition.resolution import enlargement, reduction, scale

LIMIT = 40_000_000
A4 = (595.0, 842.0)


def test_a_drawn_page_is_rendered_at_300_dpi() -> None:
    assert scale(*A4, None, LIMIT) == pytest.approx(300 / 72)


def test_a_scan_is_not_rendered_finer_than_it_is() -> None:
    assert scale(*A4, 200 / 72, LIMIT) == pytest.approx(200 / 72)
    assert scale(*A4, 600 / 72, LIMIT) == pytest.approx(300 / 72, rel=0.01)


def test_a_coarse_scan_is_enlarged_at_most_twice() -> None:
    assert scale(408, 528, 150 / 72, LIMIT) == pytest.approx(1650 / 528)
    assert scale(*A4, 40 / 72, LIMIT) == pytest.approx(80 / 72)


def test_a_sharp_picture_on_a_tiny_page_is_rendered_as_a_page_would_be() -> None:
    assert scale(120, 86, 2400 / 72, LIMIT) == pytest.approx(3508 / 120)


@pytest.mark.parametrize("size", [(8400, 8400), (140_000, 140_000), (5, 90_000)])
def test_no_page_is_rendered_beyond_the_limit(size: tuple[float, float]) -> None:
    factor = scale(*size, None, LIMIT)
    assert factor is None or size[0] * size[1] * factor**2 <= LIMIT * 1.001
    assert factor is None or max(size) * factor <= 32_000


@pytest.mark.parametrize("size", [(nan, 800), (inf, 800), (0, 800), (-5, 800), (595, 2.0**31)])
def test_a_page_that_no_scale_makes_readable_has_none(size: tuple[float, float]) -> None:
    assert scale(*size, None, LIMIT) is None


def test_a_picture_shrinks_only_to_fit() -> None:
    assert reduction(2480, 3508, LIMIT) == 1
    assert reduction(20_000, 8_000, LIMIT) == pytest.approx(0.5)
    assert 100_000 * reduction(100_000, 10, LIMIT) == pytest.approx(32_000)


def test_a_small_picture_is_enlarged_at_most_twice() -> None:
    assert (enlargement(480, 640), enlargement(1320, 1000), enlargement(2480, 3508)) == (2.0, 1.25, 1.0)
