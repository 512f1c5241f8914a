"""The words of progress: every code that the code base says has a sentence, and the sentence its parameters."""

from string import Formatter

import pytest

from shared.document.messages import CATALOG, message
from shared.events.pipeline import PIPELINE
from tests.support.sources import calls, constant, keywords

SAID = [(place, call) for place, call in calls("message", "tick") if call.args and constant(call.args[0])]


def test_a_message_carries_its_code_its_parameters_and_its_sentence() -> None:
    assert message("ocr.pages_done", done=17, total=40) == {
        "code": "ocr.pages_done",
        "params": {"done": 17, "total": 40},
        "text": "Recognised page 17 of 40",
    }


def test_a_parameter_that_is_missing_does_not_hide_the_sentence() -> None:
    assert message("ocr.pages_done", done=17)["text"] == "Recognised page 17 of ?"


def test_a_code_that_is_not_listed_reads_as_its_own_words() -> None:
    assert message("translate.pages_done")["text"] == "translate: pages done"


@pytest.mark.parametrize(("place", "call"), SAID, ids=[place for place, _ in SAID])
def test_every_message_in_the_code_base_is_listed_and_brings_its_parameters(place, call) -> None:
    code, given = constant(call.args[0]), keywords(call)

    assert code in CATALOG
    assert given is None or {name for _, name, _, _ in Formatter().parse(CATALOG[code]) if name} <= given


def test_the_stages_say_what_they_are_doing() -> None:
    codes = {constant(call.args[0]) for _, call in SAID}

    assert {line.stage for line in PIPELINE} <= {code.split(".")[0] for code in codes}


@pytest.mark.parametrize("status", ["completed", "cancelled", "cancelling", "processed"])
def test_every_status_that_speaks_for_itself_is_listed(status: str) -> None:
    assert f"document.{status}" in CATALOG
