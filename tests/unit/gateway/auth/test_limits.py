"""What one key and one address may have in hand."""

import pytest

from services.gateway.auth.limits import Allotment, BodyPace, Limits, Pace, address_of
from services.gateway.problems import Problem

ANNE = ("key:anne", "10.0.0.1")
BERT = ("key:bert", "10.0.0.1")
CARL = ("key:carl", "10.0.0.2")


def limits(uploads: int = 10, upload_bytes: int = 100) -> Limits:
    return Limits(
        waiting=Allotment("too_many_connections", 1),
        connections=Allotment("too_many_connections", 1),
        subscriptions=Allotment("too_many_subscriptions_in_all", 1),
        uploads=Allotment("too_many_uploads_at_once", uploads),
        upload_bytes=Allotment("too_many_upload_bytes", upload_bytes),
        frames=Pace(1),
        requests=Pace(2),
        pace=BodyPace(1, 1),
    )


def test_two_keys_at_one_address_share_its_limit_and_a_third_elsewhere_has_its_own() -> None:
    tally = Allotment("too_many_connections", 2)
    tally.take(ANNE)
    tally.take(BERT)
    with pytest.raises(Problem) as refused:
        tally.take(ANNE)
    assert (refused.value.status, refused.value.code) == (429, "too_many_connections")
    assert refused.value.headers["Retry-After"] == "5"
    tally.take(CARL, 2)
    tally.take(BERT, -1)
    tally.take(ANNE)


def test_a_refusal_leaves_nothing_counted() -> None:
    tally = Allotment("too_many_connections", 1)
    tally.take(BERT)
    with pytest.raises(Problem):
        tally.take(ANNE)
    tally.take(BERT, -1)
    with tally.one(ANNE), pytest.raises(Problem):
        tally.take(ANNE)
    tally.take(ANNE)


def test_frames_are_counted_over_all_connections_of_a_holder() -> None:
    pace = Pace(per_second=2)
    assert [pace.take(ANNE, 0.0) for _ in range(20)] == [True] * 20
    assert not pace.take(BERT, 0.0)
    assert pace.take(CARL, 0.0)
    assert pace.take(ANNE, 2.0)


def test_declared_bytes_count_at_once_and_undeclared_ones_as_they_arrive() -> None:
    each = limits()
    with each.upload(ANNE, 60) as arrived:
        arrived(60)
        with pytest.raises(Problem, match="too_many_upload_bytes"), each.upload(BERT, 41):
            pass
        with each.upload(BERT, 0) as more:
            more(40)
            with pytest.raises(Problem, match="too_many_upload_bytes"):
                more(1)
    with each.upload(ANNE, 100):
        pass


def test_uploads_under_way_are_counted_until_they_end_however_they_end() -> None:
    each = limits(uploads=1)
    with each.upload(ANNE, 1):
        for _ in range(2):
            with pytest.raises(Problem, match="too_many_uploads_at_once"), each.upload(BERT, 1):
                pass
    with pytest.raises(Problem, match="too_many_upload_bytes"), each.upload(ANNE, 1) as arrived:
        arrived(101)
    with each.upload(ANNE, 100):
        pass


def test_requests_are_paced_for_each_key_and_address() -> None:
    held = limits()
    for _ in range(20):  # ten seconds' worth at once
        held.ask(ANNE, now=0.0)
    with pytest.raises(Problem) as refused:
        held.ask(BERT, now=0.0)  # from the same address
    assert (refused.value.status, refused.value.code) == (429, "too_many_requests")
    assert refused.value.headers["Retry-After"] == "1"
    held.ask(CARL, now=0.0)
    held.ask(ANNE, now=5.0)


def test_of_ipv6_a_network_counts_as_one_address() -> None:
    assert address_of("2001:db8::1") == address_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert address_of("2001:db8:0:1::1") != address_of("2001:db8::1")
    assert address_of("::ffff:10.0.0.1") == address_of("10.0.0.1") == "10.0.0.1"
    assert address_of("fe80::1%eth0") == "fe80::/64"
    assert [address_of(odd) for odd in ("", "unix:", "testclient")] == ["", "unix:", "testclient"]
