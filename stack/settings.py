"""What a person can set about the one-machine stack, read once from PAGESTREAM_… in the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime.addresses import KafkaAddress, MongoAddress

Port = Annotated[int, Field(ge=0, le=65535)]  # 0 = any free one


class StackSettings(BaseSettings):
    """Where the data lies, what is used instead of our own children, and which ports they listen on."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_", env_ignore_empty=True, frozen=True, extra="ignore")

    data: Path = Path(".pagestream")
    cache: Path | None = None  # what was downloaded once; None = `cache` in the data folder
    store: str | None = None  # where the blobs are; None = `blobs` in the data folder

    kafka: KafkaAddress | None = None  # of a real cluster; then no broker is started
    mongo: MongoAddress | None = None  # of a real replica set; then no database is started
    packaged_only: bool = False  # leave out the programs that the machine has installed

    # Beside the usual numbers (9092, 27017), so that an installed broker or database does not collide.
    kafka_port: Port = 29092
    kafka_controller_port: Port = 29093
    mongo_port: Port = 29017
    gateway_port: Port = 8000

    @property
    def folder(self) -> Path:
        """The data folder as an absolute path: children run wherever they like."""
        return self.data.absolute()

    @property
    def downloads(self) -> Path:
        """The folder of what was downloaded once, as an absolute path."""
        return (self.cache or self.data / "cache").absolute()
