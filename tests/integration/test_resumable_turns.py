"""A resumable upload is made whole by one request at a time, and by the next one where that could not be confirmed."""

import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from services.gateway.problems import Problem
from services.gateway.uploads import resumable
from services.gateway.uploads.ingest import Uploads
from services.gateway.uploads.quotas import Quotas
from services.gateway.uploads.resumable import EXPIRES_AFTER, ResumableUploads
from shared.events.document import Record, utcnow
from shared.kafka.producer import Unconfirmed
from shared.runtime.settings import SharedSettings
from shared.storage.blob_names import source
from shared.storage.blobs import Blobs
from shared.storage.leases import Owner, Ownership
from shared.storage.mongo import Mongo
from shared.storage.partial_uploads import PartialUpload
from shared.storage.upload_claims import Claims
from tests.support.facts import uploaded


class AwayOnce:
    """A log whose broker does not confirm the first fact."""

    def __init__(self) -> None:
        self.facts: list[Record] = []
        self._is_away = True

    async def append(self, fact: Record) -> None:
        if self._is_away:
            self._is_away = False
            raise Unconfirmed("away")
        self.facts.append(fact)


NOBODY = cast(Any, None)  # whom nothing is asked before it is our turn


async def test_who_asks_while_another_makes_it_whole_is_told_to_come_back(
    database: Mongo, settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable, "_TURN_WITHIN", 0.2)
    uploads = ResumableUploads(database, Blobs.open(settings.store), NOBODY, NOBODY)
    upload = PartialUpload(str(uuid.uuid4()), "default", 9, "", utcnow() + EXPIRES_AFTER)
    assert await Ownership(database, f"upload/{upload.document_id}", Owner.of("another request")).acquire()
    with pytest.raises(Problem) as refused:
        await uploads.finish(upload)
    assert (refused.value.status, refused.value.code) == (423, "upload.locked")
    assert refused.value.headers["Retry-After"] == "2"


async def test_bytes_that_were_here_before_are_made_whole_by_the_next_request_after_an_outage(
    database: Mongo, settings: SharedSettings
) -> None:
    blobs, claims, quotas, data = Blobs.open(settings.store), Claims(database), Quotas(NOBODY, {}), b"A letter."
    secret = await claims.prepare()
    digest = hmac.new(secret, b"", hashlib.sha256)
    digest.update(data)
    first = uploaded()
    await claims.claim_content(f"default/{digest.hexdigest()}", first, force=False)
    await blobs.put(source("default", first.document_id), data)
    log = AwayOnce()
    uploads = Uploads(blobs, claims, cast(Any, log), quotas, secret, max_bytes=100, at_once=1)
    resumable = ResumableUploads(database, blobs, uploads, quotas)

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    upload = await resumable.create("default", len(data), "")
    await resumable.receive(upload, 0, chunks(), None)
    with pytest.raises(Unconfirmed):
        await resumable.finish(upload)
    whole = await resumable.finish(upload)
    assert whole.result == (first.document_id, True)
    assert log.facts == [first]
    assert [name async for name in blobs.names(f"default/{upload.document_id}/")] == []

    await resumable.forget_document(first.document_id)
    with pytest.raises(Problem, match=r"upload\.not_found"):
        await resumable.find("default", upload.document_id)
