"""The settings of a stage's process."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.slot import SlotSettings


class StageSettings(SlotSettings):
    """What every stage can be told; a stage's own settings are read in its children."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_", frozen=True, extra="ignore")

    role: str = Field(default="both", pattern="^(both|coordinator|worker)$")
    cores: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)  # shared by all stages of the machine
    cores_folder: Path = Path(".pagestream/cores")  # the same for all stages of one machine
    children: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    child_memory_mb: int = Field(default=2048, ge=256)  # address space of one child, MiB
    child_idle_seconds: float = Field(default=60.0, gt=0)  # after that much rest a child's memory is given back
    slice_deadline_seconds: float = Field(default=120.0, gt=0)
    plan_deadline_seconds: float = Field(default=30.0, gt=0)  # of planning, which does not wait for a core
    result_mb: int = Field(default=256, ge=1, le=2048)  # of what one step may return, MiB
    at_once_seconds: float = Field(default=0.25, ge=0)  # of expected work that one claim does whole; 0: never
    max_attempts: int = Field(default=3, ge=1)  # runs of a stage before only a person can try again
    session_timeout_ms: int = Field(default=10_000, ge=1000)  # of the Kafka consumer group
