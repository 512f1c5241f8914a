"""The extractor's own settings: how big a slice is, and how much of what it may find."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ExtractorSettings(BaseSettings):
    """Read once from PAGESTREAM_EXTRACTOR_<FIELD>; each default works on one machine."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_EXTRACTOR_", frozen=True, extra="ignore")

    slice_pages: int = Field(default=20, ge=1, le=1000)  # most pages in one pass
    slice_characters: int = Field(default=60_000, ge=1_000, le=1_000_000)  # most text in one pass
    findings: int = Field(default=500, ge=1, le=100_000)  # most findings of one field in one pass
    keywords: int = Field(default=10, ge=1, le=100)
    sentences: int = Field(default=3, ge=1, le=20)  # in the summary
    sample_characters: int = Field(default=24_000, ge=1_000, le=200_000)  # of a long text, read for the whole
