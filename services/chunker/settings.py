"""The chunker's settings: PAGESTREAM_CHUNKER_<FIELD>, and PAGESTREAM_CACHE for the folder of the converted model."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chunker.units import Limits


class Settings(BaseSettings):
    """How large chunks become, and how many make a slice."""

    model_config = SettingsConfigDict(
        env_prefix="PAGESTREAM_CHUNKER_", frozen=True, extra="ignore", validate_by_name=True
    )

    cache: Path = Field(default=Path(".pagestream/cache"), validation_alias="PAGESTREAM_CACHE")
    characters: int = Field(default=900, ge=100, le=10_000)  # in a chunk, at most
    # In a chunk, at most, as estimated: 210 keeps nearly all of them within the 256 that the model reads.
    tokens: int = Field(default=210, ge=16, le=1_000)
    slice_chunks: int = Field(default=64, ge=1, le=64)  # chunks embedded as one slice

    @property
    def limits(self) -> Limits:
        return Limits(self.characters, self.tokens)
