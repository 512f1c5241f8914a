"""Who may do what, and where a key or token is looked for."""

import pytest

from services.gateway.auth.callers import LOCAL, Caller, right_for, secret_of
from services.gateway.problems import Problem
from services.gateway.targets import Target

KEY = Caller("acme", "key:1")
READ = Caller("acme", "token:1", "read", document_id="d")
CONTROL = Caller("acme", "token:2", "control", document_id="d")


def may(caller: Caller, method: str, document_id: str = "d") -> bool:
    try:
        caller.require(right_for(method), document_id)
    except Problem:
        return False
    return True


@pytest.mark.parametrize(
    ("caller", "methods"),
    [(KEY, "GET HEAD POST DELETE"), (LOCAL, "GET HEAD POST DELETE"), (READ, "GET HEAD"), (CONTROL, "GET HEAD POST")],
)
def test_each_right_allows_its_calls_on_its_document(caller: Caller, methods: str) -> None:
    assert [m for m in ("GET", "HEAD", "POST", "DELETE") if may(caller, m)] == methods.split()


def test_a_token_covers_no_other_document_and_never_the_whole_tenant() -> None:
    for token in (READ, CONTROL):
        assert not may(token, "GET", "other")
        with pytest.raises(Problem, match="not_allowed"):
            token.require_all()
        with pytest.raises(Problem, match="not_allowed"):
            token.require_watching(Target.of_feed("acme"))
        token.require_watching(Target.document("acme", "d"))
    assert may(KEY, "DELETE", "other")
    KEY.require_watching(Target.of_feed("acme"))


def test_a_token_on_a_batch_covers_the_documents_that_are_in_it_and_its_feed() -> None:
    token = Caller("acme", "token:3", "read", batch="june")
    token.require("read", "any")
    token.require_member({"batch": "june"})
    token.require_watching(Target("acme", "batch", "june"))
    assert not may(token, "POST")
    for view in ({"batch": "july"}, {"batch": None}, {}):
        with pytest.raises(Problem, match="not_allowed"):
            token.require_member(view)
    for target in (Target("acme", "batch", "july"), Target.of_feed("acme"), Target.of_feed("acme", "june")):
        with pytest.raises(Problem, match="not_allowed"):
            token.require_watching(target)


def test_a_secret_is_found_in_the_header_then_among_the_subprotocols_then_in_the_address() -> None:
    assert secret_of("Bearer psk_a", "token=pst_b", ["bearer.pst_c"]) == "psk_a"
    assert secret_of("bearer  psk_a ", "") == "psk_a"
    assert secret_of(None, "token=pst_b", ["pagestream.v1", "bearer.pst_c"]) == "pst_c"
    assert secret_of("Basic dXNlcg==", "wait=1&token=pst_b") == "pst_b"
    assert secret_of(None, "wait=1", ["pagestream.v1"]) is None


def test_an_empty_secret_is_one_that_is_wrong() -> None:
    assert secret_of("Bearer ", "") == ""


def test_a_key_in_an_address_is_refused_whatever_else_it_is() -> None:
    with pytest.raises(Problem, match="key_in_address"):
        secret_of(None, "token=psk_a")
