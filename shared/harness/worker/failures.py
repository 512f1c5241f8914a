"""What went wrong with a work item, as the failure that its fact carries."""

import uuid
from itertools import islice
from typing import Final

from shared.errors import PagestreamError, Rejected, Transient
from shared.events.document import PLAN, Failure
from shared.harness.sandbox.pool import ChildFailed, Crashed
from shared.harness.work_item import WorkItem
from shared.runtime import logs
from shared.runtime.tracebacks import summarize
from shared.storage.blobs import BlobDamaged, BlobMissing

log = logs.get(__name__)

_FACT_LENGTH: Final = 200  # characters of a fact that is text
_FACTS: Final = 20  # of one failure
_LONGEST: Final = 86_400.0  # seconds that a provider may ask us to wait
_EXACT: Final = 2**53  # what a JSON number can be anywhere


def of(error: Exception, item: WorkItem) -> Failure:
    """Bad input is final; the outside world, a crash, a lost result and our own bugs are worth another attempt.

    A plan that takes too long is made once more and then given up: what is slow in itself is slow each time.
    """
    try:
        failure = _of(error, item)
    except Exception as unusual:  # a code or facts that no failure can have
        failure = _internal(unusual, item)
    log.info("slice failed", work=item.work_id, code=failure.code, facts=failure.facts)
    return failure


def _of(error: Exception, item: WorkItem) -> Failure:
    match error:
        case Rejected():
            return _expected(error, retryable=False)
        case Transient():
            return _expected(error, retryable=True, retry_after=error.retry_after)
        case Crashed():
            slow = item.slice == PLAN and error.code == "timeout" and item.repeats > 0
            return Failure(code=error.code, facts=error.facts, retryable=not slow)
        case BlobMissing() | BlobDamaged():
            return Failure(code="result_missing", facts={"name": item.stage}, retryable=True)
        case _:
            return _internal(error, item)


def _internal(error: Exception, item: WorkItem) -> Failure:
    """A bug: of the stage, whose traceback comes from the child, or of ours."""
    reference = uuid.uuid4().hex[:12]
    traceback = str(error) if isinstance(error, ChildFailed) else summarize(error, limit=20)
    log.error("a work item failed unexpectedly", reference=reference, work=item.work_id, traceback=traceback)
    return Failure(code="internal", facts={"reference": reference}, retryable=True)


def _expected(error: PagestreamError, *, retryable: bool, retry_after: float | None = None) -> Failure:
    facts = {
        name[:_FACT_LENGTH]: value if _is_plain(value) else str(value)[:_FACT_LENGTH]
        for name, value in islice(error.facts.items(), _FACTS)
        if name.isidentifier()
    }
    page = facts.get("page")
    if retry_after is not None:
        retry_after = min(max(0.0, float(retry_after)), _LONGEST)
    return Failure(
        code=error.code,
        facts=facts,
        retryable=retryable,
        retry_after=retry_after,
        page=page if isinstance(page, int) else None,
    )


def _is_plain(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and abs(value) <= _EXACT)  # NaN is not
