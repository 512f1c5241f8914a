"""The order of search results, and what is marked in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.search import rank_fusion

keys = st.lists(st.sampled_from("abcdefgh"), unique=True)


def test_what_both_rankings_name_comes_before_what_one_does() -> None:
    assert [key for key, _ in rank_fusion.fused([["a", "b"], ["c", "b"]])] == ["b", "a", "c"]


def test_first_in_every_ranking_is_one() -> None:
    assert rank_fusion.fused([["a"], ["a"]]) == [("a", 1.0)]
    assert rank_fusion.fused([["a"], []]) == [("a", 0.5)]


@given(keys, keys)
def test_everything_that_was_found_is_ranked_once_best_first(one: list[str], other: list[str]) -> None:
    found = rank_fusion.fused([one, other])
    assert {key for key, _ in found} == {*one, *other}
    assert len(found) == len({*one, *other})
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ('Rent rent, -due "now"', ["rent", "due", "now"]),
        ("Straße STRASSE", ["strasse"]),
        ("契約 2025", ["契約", "2025"]),
        ("!?", []),
    ],
)
def test_a_query_is_its_words(query: str, words: list[str]) -> None:
    assert rank_fusion.words_of(query) == words


def test_the_words_of_the_search_are_marked_where_they_stand() -> None:
    text = "The rent is due. RENT is not Parent."
    spans = rank_fusion.highlights(text, ["rent", "due"])
    assert [text[start:end] for start, end in spans] == ["rent", "due", "RENT"]


@given(st.text(), st.text())
def test_marks_lie_within_the_text_in_order(text: str, query: str) -> None:
    spans = rank_fusion.highlights(text, rank_fusion.words_of(query))
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) for start, end in spans)
