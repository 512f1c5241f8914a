"""What went wrong with a piece of work, as the failure that its fact carries."""

import uuid
from typing import Final

from shared import logs
from shared.blobs import BlobDamaged, BlobMissing
from shared.errors import PagestreamError, Rejected, Transient
from shared.events import Failure
from shared.harness.children import ChildFailed, Crashed
from shared.harness.items import WorkItem

log = logs.get(__name__)

EXPECTED: Final = (Rejected, Transient, Crashed, BlobMissing, BlobDamaged, ChildFailed)
_FACT_LENGTH: Final = 200  # characters of a fact that is text


def of(error: Exception, item: WorkItem) -> Failure:
    """Bad input is final; the outside world, a crash, a lost result and our own bugs are worth another attempt."""
    match error:
        case Rejected():
            failure = _expected(error, retryable=False)
        case Transient():
            failure = _expected(error, retryable=True, retry_after=error.retry_after)
        case Crashed():
            failure = Failure(code=error.code, facts=error.facts, retryable=True)
        case BlobMissing() | BlobDamaged():
            failure = Failure(code="result_missing", facts={"name": item.stage}, retryable=True)
        case _:
            reference = uuid.uuid4().hex[:12]
            log.error("stage code failed", reference=reference, work=item.work_id, traceback=str(error))
            failure = Failure(code="internal", facts={"reference": reference}, retryable=True)
    log.info("piece failed", work=item.work_id, code=failure.code, facts=failure.facts)
    return failure


def _expected(error: PagestreamError, *, retryable: bool, retry_after: float | None = None) -> Failure:
    facts = {
        name: value if isinstance(value, int | float | bool | None) else str(value)[:_FACT_LENGTH]
        for name, value in error.facts.items()
    }
    page = facts.get("page")
    return Failure(
        code=error.code,
        facts=facts,
        retryable=retryable,
        retry_after=retry_after,
        page=page if isinstance(page, int) else None,
    )
