"""Frames of clients: read, or refused with a sentence; never a crash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.auth.limits import Allowance
from services.gateway.live import client_frames
from services.gateway.live.client_frames import Subscribe, Unsubscribe
from services.gateway.problems import Problem
from services.gateway.targets import Position, Target


def test_subscribe_names_a_document_and_where_the_client_stopped() -> None:
    request = client_frames.parse('{"op":"subscribe","ref":1,"document_id":"d","have":{"epoch":"k","version":7}}')
    assert isinstance(request, Subscribe)
    assert request.ref == 1
    assert request.target("acme") == Target.document("acme", "d")
    assert request.position == Position("k", 7)


def test_unsubscribe_names_a_feed() -> None:
    request = client_frames.parse('{"op":"unsubscribe","ref":"x","feed":"documents"}')
    assert isinstance(request, Unsubscribe)
    assert request.target("acme") == Target.of_feed("acme")


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "null",
        "{",
        '{"op":"dance"}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","document_id":"a","feed":"documents"}',
        '{"op":"subscribe","document_id":7}',
        '{"op":"subscribe","document_id":"d","ref":9223372036854775808}',  # no answer could name it
        '{"op":"subscribe","document_id":"d","have":{"epoch":1}}',
        '{"op":"subscribe","document_id":"' + "x" * 20_000 + '"}',
        b'{"op":"subscribe","document_id":"d"}',
    ],
)
def test_anything_else_is_a_bad_frame(frame: str | bytes) -> None:
    with pytest.raises(Problem) as refused:
        client_frames.parse(frame)
    assert refused.value.code == "bad_frame"


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ("{", "The frame cannot be read: it is no JSON."),
        ("[]", "The frame cannot be read: it is no JSON object."),
        ('{"op":"zap"}', "The frame cannot be read: its op must be subscribe or unsubscribe."),
        ("{}", "The frame cannot be read: its op must be subscribe or unsubscribe."),
        (
            '{"op":"subscribe","document_id":7}',
            "The frame cannot be read: document_id: input should be a valid string.",
        ),
        (
            '{"op":"subscribe","document_id":"a","job_id":"b"}',
            "The frame cannot be read: it must name exactly one: a document_id, a job_id or a feed.",
        ),
    ],
)
def test_a_bad_frame_is_told_what_is_wrong_with_it(frame: str, sentence: str) -> None:
    with pytest.raises(Problem) as refused:
        client_frames.parse(frame)
    assert refused.value.sentence == sentence


@given(st.text())
def test_any_text_is_a_request_or_a_bad_frame(frame: str) -> None:
    with pytest.raises(Problem, match="bad_frame"):  # hypothesis does not hit upon a request by chance
        client_frames.parse(frame)


def test_an_allowance_lets_a_burst_through_and_then_a_trickle() -> None:
    allowance = Allowance(burst=3, per_second=2)
    assert [allowance.take(0) for _ in range(4)] == [True, True, True, False]
    assert not allowance.take(0.1)
    assert allowance.take(2)
