"""A resumable upload is made whole by one request at a time."""

import uuid
from typing import Any, cast

import pytest

from services.gateway import parts
from services.gateway.parts import EXPIRES_AFTER, ResumableUploads
from services.gateway.problems import Problem
from shared.blobs import Blobs
from shared.events import utcnow
from shared.leases import Owner, Ownership
from shared.mongo import Mongo
from shared.partial_uploads import PartialUpload
from shared.settings import SharedSettings

NOBODY = cast(Any, None)  # whom nothing is asked before it is our turn


async def test_who_asks_while_another_makes_it_whole_is_told_to_come_back(
    database: Mongo, settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_TURN_WITHIN", 0.2)
    uploads = ResumableUploads(database, Blobs.open(settings.store), NOBODY, NOBODY)
    upload = PartialUpload(str(uuid.uuid4()), "default", 9, "", utcnow() + EXPIRES_AFTER)
    assert await Ownership(database, f"upload/{upload.document_id}", Owner.of("another request")).acquire()
    with pytest.raises(Problem) as refused:
        await uploads.finish(upload)
    assert (refused.value.status, refused.value.code) == (423, "upload.locked")
    assert refused.value.headers["Retry-After"] == "2"
