"""The timeline: a row and a sentence for each fact."""

import typing

import pytest

from services.progress.projection import timeline
from shared.document.messages import CATALOG
from shared.events.document import CONCLUDE, PLAN, Fact
from tests.support.document_facts import (
    BAD_PAGE,
    cancel,
    cancelled,
    completed,
    concluded,
    deleted,
    done,
    erased,
    failed,
    fold,
    given_up,
    lost,
    planned,
    requested,
    retry,
    scheduled,
    started,
    uploaded,
)

SENTENCES = [
    (uploaded(), "Uploaded"),
    (started(), "Stage ocr started, attempt 1"),
    (planned(), "Stage ocr planned: 3 pieces"),
    (done(0, pages=(1, 1)), "Stage ocr finished page 1"),
    (done(0, pages=(1, 32)), "Stage ocr finished pages 1 to 32"),
    (done(4), "Stage ocr finished piece 5"),
    (failed(1, error=BAD_PAGE, pages=(2, 4)), "Stage ocr failed on pages 2 to 4: The image is damaged: cut off."),
    (failed(1, error=BAD_PAGE), "Stage ocr failed on piece 2: The image is damaged: cut off."),
    (failed(CONCLUDE, error=BAD_PAGE), "Stage ocr failed on concluding: The image is damaged: cut off."),
    (lost(0), "The worker on piece 1 of stage ocr disappeared"),
    (lost(PLAN), "The worker on planning of stage ocr disappeared"),
    (failed(1, error=BAD_PAGE, pages=(2, 2)), "Stage ocr failed on page 2: The image is damaged: cut off."),
    (failed(PLAN, error=BAD_PAGE), "Stage ocr failed on planning: The image is damaged: cut off."),
    (lost(CONCLUDE), "The worker on concluding of stage ocr disappeared"),
    (concluded(), "Stage ocr completed"),
    (given_up(), "Stage ocr failed: model does not answer: 503."),
    (scheduled(due=10), "Attempt 2 of stage ocr follows in 5 s"),
    (requested(), "Stage ocr is to run again, attempt 2"),
    (completed(), "Completed"),
    (cancelled(), "Cancelled"),
    (retry(), "Somebody asked to try again"),
    (cancel(), "Somebody asked to stop"),
    (deleted(), "Somebody deleted the document"),
    (erased(), "Everything stored was erased"),
]


@pytest.mark.parametrize(("fact", "sentence"), SENTENCES, ids=lambda value: getattr(value, "type", ""))
def test_each_fact_tells_what_happened(fact, sentence) -> None:
    assert timeline.said_of(fact)["text"] == sentence


def test_no_fact_is_without_a_sentence() -> None:
    assert {type(fact) for fact, _ in SENTENCES} == set(typing.get_args(Fact))
    codes = {code for code in CATALOG if code.startswith("timeline.")}
    assert {timeline.said_of(fact)["code"] for fact, _ in SENTENCES} == codes


def test_why_it_failed_comes_with_what_a_translation_needs() -> None:
    said = timeline.said_of(failed(1, error=BAD_PAGE, pages=(2, 2)))
    assert said["params"]["error"] == {"code": BAD_PAGE.code, "facts": BAD_PAGE.facts}


def test_a_row_places_the_fact_in_the_history_of_its_document() -> None:
    fact = done(1, attempt=2, pages=(2, 2))
    row = timeline.row(fold([uploaded(), started()]), fact, 17)

    assert row == {
        "_id": f"{fact.document_id}/{fact.event_id}",
        "document_id": fact.document_id,
        "tenant": fact.tenant,
        "version": 2_000_000,
        "offset": 17,
        "type": "SliceCompleted",
        "at": fact.at,
        "stage": "ocr",
        "attempt": 2,
        "page": 2,
        "summary": "Stage ocr finished page 2",
        "code": "timeline.SliceCompleted.page",
        "params": {"stage": "ocr", "attempt": 2, "page": 2},
    }


@pytest.mark.parametrize("fact", [done(1, pages=(1, 9)), done(1), uploaded(), planned()], ids=lambda f: f.type)
def test_a_fact_about_several_pages_or_none_names_no_page(fact) -> None:
    assert timeline.row(fold([uploaded()]), fact, 0)["page"] is None
