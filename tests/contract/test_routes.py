"""Every route has its line in the tests that ask all of them, which run only with the whole system."""

from pathlib import Path
from unittest.mock import MagicMock

from services.gateway.app import build
from services.gateway.settings import GatewaySettings
from tests.support.openapi import answers_of, operations_of

TESTS = Path(__file__).parents[1]


def test_every_answer_in_json_is_asked_for_on_the_whole_system() -> None:
    operations = operations_of(build(MagicMock(), GatewaySettings()).openapi())
    asked = (TESTS / "system" / "test_answers.py").read_text()
    assert {name for name, _, _ in answers_of(operations) if f'ask("{name}"' not in asked} == set()


def test_every_call_about_a_document_is_tried_with_each_kind_of_token() -> None:
    operations = operations_of(build(MagicMock(), GatewaySettings()).openapi())
    tried = (TESTS / "integration" / "gateway_rights" / "keyed.py").read_text()
    about = "/v1/documents/{document_id}/"
    changing = {one.path.removeprefix(about) for one in operations.values() if one.path.startswith(about)}
    assert {path for path in changing if "{" not in path and f'"/{path}"' not in tried} == set()
