"""The settings of the OCR stage, read once from PAGESTREAM_OCR_<FIELD>."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class OcrSettings(BaseSettings):
    """Where the engine is and how much of it one document may use."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_OCR_", frozen=True, extra="ignore")

    engine: Literal["tesseract", "http"] = "tesseract"
    tesseract: str = Field(default="tesseract", min_length=1)  # a program on PATH, or its path
    tessdata: str = ""  # the folder of the language models; empty = where the program looks by itself
    languages: str = Field(default="eng", pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$")  # where the upload names none

    max_pages: int = Field(default=5000, ge=1)  # pages of a PDF, frames of an image
    max_image_pixels: int = Field(default=250_000_000, ge=1)  # of one frame, as its header states
    max_render_pixels: int = Field(default=40_000_000, ge=10_000)  # a page is rendered no larger than this
    max_text_bytes: int = Field(default=32 * 1024 * 1024, ge=1)  # of a file of plain text, HTML, RTF or xls
    max_mail_bytes: int = Field(default=64 * 1024 * 1024, ge=1)  # of an e-mail with its attachments
    max_attachments: int = Field(default=100, ge=0)  # of an e-mail; further ones are named and not read
    # XML within an Office or OpenDocument file, as it is unpacked; the library has the same limit for one part
    max_unpacked_bytes: int = Field(default=64 * 1024 * 1024, ge=1, le=100 * 1024 * 1024)
    http_url: str = Field(default="", pattern=r"^(https?://\S+)?$")  # of the OCR service, for the engine "http"
    http_key: SecretStr = SecretStr("")  # sent as a bearer token
    http_model: str = "1"  # what the service reads with; another name reads everything anew
    http_pages: int = Field(default=8, ge=1, le=256)  # at the service at the same time, from one machine
    http_seconds: float = Field(default=30, gt=0)  # for one answer
    http_patience_seconds: float = Field(default=60, gt=0)  # for one page with all its tries; then the stage is retried
    page_seconds: float = Field(default=120, gt=0)  # one reading of one page by the engine

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.engine == "http" and not self.http_url:
            raise ValueError("PAGESTREAM_OCR_ENGINE=http needs the address of the service in PAGESTREAM_OCR_HTTP_URL")
        return self
