"""The names of blobs: what each answers to. Pure."""

import hashlib
from typing import Final

PART_PREFIX: Final = "part-"
SNAPSHOTS: Final = ".snapshots"  # beside the tenants, none of which begins with a dot


def source(tenant: str, document_id: str) -> str:
    """The uploaded bytes."""
    return f"{tenant}/{document_id}/source"


def meta(tenant: str, document_id: str) -> str:
    """What the uploader said of the document (`shared.harness.contract.Document`)."""
    return f"{tenant}/{document_id}/meta"


def part(tenant: str, document_id: str, offset: int, token: str) -> str:
    """Bytes of a resumable upload from `offset` on; `token` tells two that begin there apart."""
    return f"{tenant}/{document_id}/{PART_PREFIX}{offset}-{token}"


def slice_result(tenant: str, document_id: str, stage: str, plan: str, number: int) -> str:
    """The result of one slice of a plan."""
    return f"{tenant}/{document_id}/{stage}/{plan}/{number}"


def plan(tenant: str, document_id: str, stage: str, plan_id: str) -> str:
    """The list of a plan's slices."""
    return f"{tenant}/{document_id}/{stage}/{plan_id}/plan"


def result(tenant: str, document_id: str, stage: str, plan_id: str, missing: tuple[int, ...]) -> str:
    """What a stage concluded; one that lacks slices has a name of its own, so that it never hides the whole."""
    lack = hashlib.sha256(repr(missing).encode()).hexdigest()[:12] if missing else ""
    return f"{tenant}/{document_id}/{stage}/{plan_id}/result" + (f"-without-{lack}" if lack else "")


def words(tenant: str, job_id: str, event_id: str) -> str:
    """What a person or program wrote of a standalone job with one of its facts."""
    return f"{tenant}/{job_id}/{event_id}"


def image(tenant: str, document_id: str, plan: str, page: int, width: int) -> str:
    """A page drawn for people to look at, as `plan` of the OCR stage numbers it; can be drawn again at any time."""
    return f"{tenant}/{document_id}/ocr/{plan}/image-{page}-{width}"
