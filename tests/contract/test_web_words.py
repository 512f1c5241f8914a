"""The German sentences of the page against the catalogues that the server speaks from."""

import json
import re
from string import Formatter
from typing import Any

import pytest

from services.gateway.http.static import FOLDER
from services.gateway.problems import OWN
from shared import error_catalog
from shared.document import messages


def table(name: str) -> dict[str, Any]:
    """A table of sentences.js, which is JSON but for its commas and comments."""
    source = (FOLDER / "element/sentences.js").read_text()
    (body,) = re.findall(rf"^export const {name} = (\{{.*?^\}});", source, re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = json.loads(re.sub(r",(\s*[}\]])", r"\1", body))
    return found


def english(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def german(template: str) -> set[str]:
    return set(re.findall(r"\{(\w+)[|}]", template))


def test_every_code_has_a_german_sentence_and_there_are_no_others() -> None:
    assert table("MESSAGES").keys() == messages.CATALOG.keys()
    assert table("ERRORS").keys() == error_catalog.CATALOG.keys()


@pytest.mark.parametrize("code", messages.CATALOG)
def test_a_message_takes_the_same_parameters_in_german(code: str) -> None:
    assert german(table("MESSAGES")[code]) == english(messages.CATALOG[code])
    assert ("[" in table("MESSAGES")[code]) == ("[" in messages.CATALOG[code])


@pytest.mark.parametrize("code", error_catalog.CATALOG)
def test_an_error_takes_the_same_facts_in_german(code: str) -> None:
    translated = table("ERRORS")[code]
    assert [german(text) for text in translated] == [english(text) for text in error_catalog.CATALOG[code]]


@pytest.mark.parametrize("code", table("REFUSALS"))
def test_a_refusal_of_the_gateway_takes_no_other_facts_in_german(code: str) -> None:
    happened, advised = table("REFUSALS")[code]
    _, sentence, action = OWN[code]
    assert german(happened) == english(sentence)
    assert german(advised) <= english(action)
    assert code not in error_catalog.CATALOG
