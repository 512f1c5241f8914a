"""The settings of the progress service."""

import socket

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.runtime.settings import SharedSettings


class ProgressSettings(SharedSettings):
    """What `progress` can be told."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_", frozen=True, extra="ignore")

    slot: str = Field(default_factory=socket.gethostname)  # names this instance; survives a restart
    loaders: int = Field(default=4, ge=1, le=64)  # results that are stored at the same time
