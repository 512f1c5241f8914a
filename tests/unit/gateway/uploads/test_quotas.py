"""What a tenant may use, and what a refusal says."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

import pytest

from services.gateway.problems import Problem
from services.gateway.uploads.quotas import Quota, Quotas
from shared.document.totals import Totals
from shared.events.document import DocumentUploaded, utcnow
from shared.events.pipeline import PIPELINE

SHOWN = str(uuid.uuid4())
NOBODY = cast(Any, None)  # a projection that is not asked


class Shown:
    """A projection that shows what a test says."""

    def __init__(self, documents: int = 0, pages: int = 0, size: int = 0) -> None:
        self.used = used(documents, pages, size)
        self.known: set[str] = set()
        self.is_asked = False

    async def totals(self, tenant: str | None) -> Totals:
        self.is_asked = True
        return self.used

    async def present(self, document_ids: Sequence[str]) -> set[str]:
        return self.known & set(document_ids)


def used(documents: int = 0, pages: int = 0, size: int = 0) -> Totals:
    return Totals([{"unfinished": documents, f"pages/{utcnow().date()}": pages, "bytes": size}])


def quotas(shown: Shown, **limits: int) -> Quotas:
    return Quotas(shown, {"acme": Quota(**limits)})  # type: ignore[arg-type]


def uploaded(document_id: str, size: int = 1) -> DocumentUploaded:
    return DocumentUploaded.claim(
        document_id=document_id,
        claim="1",
        tenant="acme",
        at=utcnow(),
        producer="test",
        pipeline=tuple(PIPELINE),
        size=size,
        media_type="text/plain",
    )


async def refusal(of: Quotas, size: int = 1, tenant: str = "acme") -> dict[str, object] | None:
    try:
        async with of.room(tenant, size):
            return None
    except Problem as problem:
        return {**problem.body(), "retry_after": problem.headers["Retry-After"]}


async def test_without_a_quota_nothing_is_counted() -> None:
    shown = Shown(documents=10**6)
    assert await refusal(quotas(shown, documents=1), tenant="globex") is None
    assert not shown.is_asked


async def test_who_is_not_listed_has_everybodys_quota() -> None:
    everybody = Quotas(Shown(documents=5), {"*": Quota(documents=5), "acme": Quota()})  # type: ignore[arg-type]
    assert await refusal(everybody, tenant="globex")
    assert await refusal(everybody, tenant="acme") is None


async def test_documents_in_flight_are_those_shown_and_those_not_shown_yet() -> None:
    shown = Shown(documents=1)
    of = quotas(shown, documents=3)
    async with of.room("acme", 1) as first, of.room("acme", 1):
        body = await refusal(of)
        assert body
        assert (body["quota"], body["limit"], body["used"], body["left"], body["resets_at"]) == (
            "documents",
            3,
            3,
            0,
            None,
        )
        first.becomes(uploaded(SHOWN))
    async with of.room("acme", 1):  # the second came to nothing
        assert await refusal(of)
    shown.known, shown.used = {SHOWN}, used(2)
    assert await refusal(of) is None


async def test_bytes_count_the_upload_itself() -> None:
    of = quotas(Shown(size=90), bytes=100)
    assert await refusal(of, size=10) is None
    body = await refusal(of, size=11)
    assert body
    assert (body["quota"], body["used"], body["left"]) == ("bytes", 90, 10)
    async with of.room("acme", 0) as room:  # of unknown length
        room.becomes(uploaded(SHOWN, size=10))
    assert await refusal(of, size=1)


async def test_pages_count_from_midnight_and_the_refusal_says_when_they_start_anew() -> None:
    shown = Shown(pages=50)
    body = await refusal(quotas(shown, pages_a_day=50))
    assert body
    midnight = datetime.combine(utcnow().date() + timedelta(days=1), time.min, UTC)
    assert body["resets_at"] == midnight.isoformat()
    assert (body["status"], body["code"]) == (429, "quota_exceeded")
    assert 0 < int(str(body["retry_after"])) <= 86_401
    assert await refusal(quotas(shown, pages_a_day=51)) is None


async def test_uploads_of_unknown_length_have_together_what_is_left() -> None:
    house = quotas(Shown(size=999), bytes=1_000)
    async with house.room("acme", 0) as room:
        room.hold(1)
        with pytest.raises(Problem) as refused:
            room.hold(2)
        assert (refused.value.code, refused.value.facts["left"]) == ("quota_exceeded", 1)
        with pytest.raises(Problem):
            async with house.room("acme", 0):
                pass
        with pytest.raises(Problem):
            async with house.room("acme", 1):
                pass
    async with house.room("acme", 0) as room:
        room.hold(1)


async def test_where_nothing_is_left_an_upload_of_unknown_length_is_refused_at_once() -> None:
    house = quotas(Shown(size=1_000), bytes=1_000)
    with pytest.raises(Problem) as refused:
        async with house.room("acme", 0):
            pass
    assert refused.value.code == "quota_exceeded"


async def test_without_a_quota_nothing_is_held() -> None:
    async with quotas(Shown(size=1_000), documents=9).room("acme", 0) as room:
        room.hold(2**40)


async def test_rows_of_a_tenant_have_an_end_also_where_nothing_is_set() -> None:
    async def many(tenant: str, most: int) -> int:
        return most

    for quotas in (Quotas(NOBODY, {}), Quotas(NOBODY, {"*": Quota(tokens=3)})):
        with pytest.raises(Problem) as refused:
            await quotas.hold_rows("acme", "tokens", many)
        assert (refused.value.code, refused.value.facts["quota"]) == ("quota_exceeded", "tokens")
    await Quotas(NOBODY, {"acme": Quota(jobs=None)}).hold_rows("acme", "jobs", many)
