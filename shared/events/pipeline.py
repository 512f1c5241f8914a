"""The pipeline: which stages a new document runs through, in which order, and what each costs.

This is the one place that knows the order. It is written into every `DocumentUploaded`, so a changed line holds for
new documents and leaves old ones as they were.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class StageLine(BaseModel):
    """One stage of a pipeline.

    `weight` is what the stage costs per page, in seconds on one core, before it has planned its own work: a first
    guess for the percent, replaced by the planned weight.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    weight: float = Field(gt=0)
    service: str = Field(default="", exclude=True)  # the package that runs it; no business of the log's


PIPELINE: Final[Sequence[StageLine]] = (
    StageLine(stage="ocr", weight=1.5, service="services.ocr"),
    StageLine(stage="chunk", weight=0.1, service="services.chunker"),
    StageLine(stage="extract", weight=0.1, service="services.extractor"),
)


def rank_of(stage: str) -> int:
    """The place of a stage in the pipeline, from 0; 0 for one that is not in it."""
    names = [line.stage for line in PIPELINE]
    return names.index(stage) if stage in names else 0
