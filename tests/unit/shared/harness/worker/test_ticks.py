"""Ticks as a stage's code may send them: given any JSON, a sign of life that everybody can read, or a refusal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.document import decode_progress
from shared.harness.work_item import WorkItem
from shared.harness.worker.ticks import progress_of

ITEM = WorkItem(document_id="d", tenant="t", stage="s", attempt=2, plan="p", slice=3, opens=False, inputs={})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_a_tick_says_of_which_slice_it_is() -> None:
    told = progress_of(ITEM, {"code": "s.reading", "fraction": 0.25, "params": {"page": 3, "of": 9.5, "name": "x"}})

    assert (told.document_id, told.stage, told.attempt, told.slice) == ("d", "s", 2, 3)
    assert (told.code, told.fraction, told.params) == ("s.reading", 0.25, {"page": 3, "of": 9.5, "name": "x"})


@pytest.mark.parametrize("tick", [{"code": "s.x"}, {"code": "s.x", "params": None}, {"code": "s.x", "params": {}}])
def test_only_the_code_must_be_there(tick) -> None:
    assert progress_of(ITEM, tick).fraction == 0


@pytest.mark.parametrize(
    "params",
    [
        {"page": None},
        {"page": [1, 2]},
        {"page": {"a": 1}},
        {"page": 2**60},
        {"page": -(10**30)},
        {"page": float("nan")},
        {"page": float("inf")},
        {"page": "x" * 5000},
        {"a\x00b": 1},
        {"$set": 1},
        {"a.b": 1},
        {"": 1},
        {f"p{n}": n for n in range(2000)},
        [1],
        "text",
    ],
)
def test_parameters_that_not_everybody_can_read_are_refused(params) -> None:
    with pytest.raises(ValueError, match=r"parameter|a tick has at most"):
        progress_of(ITEM, {"code": "s.x", "fraction": 0.5, "params": params})


@pytest.mark.parametrize(
    "tick",
    [
        None,
        [],
        "s.x",
        7,
        {},
        {"fraction": 0.5},
        {"code": None},
        {"code": ""},
        {"code": "x" * 65},
        {"code": "s.x", "fraction": 1.5},
        {"code": "s.x", "fraction": -0.1},
        {"code": "s.x", "fraction": None},
        {"code": "s.x", "fraction": "half"},
        {"code": "s.x", "fraction": float("nan")},
    ],
)
def test_what_is_no_tick_is_refused(tick) -> None:
    with pytest.raises(ValueError, match=r"code|fraction"):
        progress_of(ITEM, tick)


@given(st.fixed_dictionaries({}, optional={"code": JSON, "fraction": JSON, "params": JSON}) | JSON)
def test_any_json_is_a_tick_that_can_be_read_again_or_a_refusal(tick) -> None:
    try:
        told = progress_of(ITEM, tick)
    except ValueError:
        return
    assert decode_progress(told.encode()) == told
    assert json.loads(told.encode())
