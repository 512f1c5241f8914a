"""The catalogue of errors: whole sentences, and every code and fact that the code base uses."""

from string import Formatter

import pytest

from shared.error_catalog import CATALOG, describe
from shared.errors import Rejected, Transient
from tests.support.sources import calls, constant, keywords

RAISED = [
    (place, call) for place, call in calls("Rejected", "Transient", "Crashed") if call.args and constant(call.args[0])
]


def placeholders(code):
    return {name for text in CATALOG[code] for _, name, _, _ in Formatter().parse(text) if name}


def test_an_error_reads_as_its_sentence_and_carries_its_facts() -> None:
    error = Rejected("too_many_pages", got=900, limit=500, setting="PAGESTREAM_MAX_PAGES")

    assert str(error) == "The document has 900 pages; the limit is 500."
    assert (error.code, error.facts["limit"]) == ("too_many_pages", 500)


def test_a_transient_error_knows_how_long_the_other_side_asked_to_wait() -> None:
    error = Transient("provider_unavailable", retry_after=12.5, provider="model", detail="503")

    assert error.retry_after == 12.5
    assert "retry_after" not in error.facts
    assert Transient("store_full").retry_after is None


def test_the_action_uses_the_same_facts() -> None:
    assert describe("unsupported_type", {"found": "a ZIP file", "allowed": "PDF, PNG"}) == (
        "This is a ZIP file, which Pagestream does not read.",
        "Upload one of: PDF, PNG.",
    )


def test_a_fact_that_is_missing_does_not_hide_the_sentence() -> None:
    assert describe("too_many_pages", {"got": 900})[0] == "The document has 900 pages; the limit is unknown."


def test_a_code_that_is_not_listed_names_itself() -> None:
    assert "teapot" in describe("teapot", {})[0]


@pytest.mark.parametrize("code", sorted(CATALOG))
def test_every_sentence_and_action_is_whole(code) -> None:
    for text in CATALOG[code]:
        assert text[0].isupper() or text[0] == "{"
        assert text.rstrip().endswith((".", "{detail}"))


@pytest.mark.parametrize(("place", "call"), RAISED, ids=[place for place, _ in RAISED])
def test_every_error_in_the_code_base_is_listed_and_brings_the_facts_of_its_sentence(place, call) -> None:
    code = constant(call.args[0])
    given = keywords(call)

    assert code in CATALOG
    assert given is None or placeholders(code) <= given


def test_every_failure_that_a_worker_or_the_sweeper_says_is_listed() -> None:
    codes = {
        constant(keyword.value) for _, call in calls("Failure") for keyword in call.keywords if keyword.arg == "code"
    }

    assert codes - {None} <= CATALOG.keys()
    assert {"worker_lost", "internal", "result_missing"} <= codes
