"""The languages that somebody asks for with a document."""

import pytest

from tests.support import pdfs
from tests.support.running_system import RunningSystem

pytestmark = pytest.mark.timeout(240)


async def test_a_language_that_is_not_installed_is_a_reason_that_names_what_there_is(system: RunningSystem) -> None:
    data = pdfs.letter("Ole Lund")
    answer = await system.call("POST", "/v1/documents?languages=eng+xyz", content=data)
    assert answer.status_code == 202
    view = await system.until(answer.json()["document_id"])
    assert (view["status"], view["error"]["code"], view["error"]["retryable"]) == (
        "failed", "language_not_installed", False,
    )  # fmt: skip
    assert "xyz is not installed; there are: " in view["error"]["message"]
    assert "eng" in view["error"]["message"].partition("there are:")[2]


async def test_the_same_bytes_in_other_languages_are_another_document(system: RunningSystem) -> None:
    data = pdfs.letter("Grete Holm")

    async def upload(**asked: str) -> tuple[int, str]:
        answer = await system.call("POST", "/v1/documents", params=asked, content=data)
        return answer.status_code, answer.json()["document_id"]

    (first, plain), (second, english), (third, again) = [
        await upload(), await upload(languages="eng"), await upload(languages="eng"),
    ]  # fmt: skip
    assert (first, second, third) == (202, 202, 200)
    assert plain != english == again
    view = await system.until(english)
    assert view["status"] == "completed"
