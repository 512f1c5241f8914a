"""The settings of the progress service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.slot import SlotSettings


class ProgressSettings(SlotSettings):
    """What `progress` can be told."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_", frozen=True, extra="ignore")

    loaders: int = Field(default=4, ge=1, le=64)  # results that are stored at the same time
    snapshot_facts: int = Field(default=250_000, ge=0)  # the log grows by so many before there is a snapshot; 0: never
