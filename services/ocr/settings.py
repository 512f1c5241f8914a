"""The settings of the OCR stage, read once from PAGESTREAM_OCR_<FIELD>."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OcrSettings(BaseSettings):
    """Where the engine is and how much of it one document may use."""

    model_config = SettingsConfigDict(env_prefix="PAGESTREAM_OCR_", frozen=True, extra="ignore")

    tesseract: str = Field(default="tesseract", min_length=1)  # a program on PATH, or its path
    tessdata: str = ""  # the folder of the language models; empty = where the program looks by itself
    languages: str = Field(default="eng", pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$")  # where the upload names none

    max_pages: int = Field(default=5000, ge=1)  # pages of a PDF, frames of an image
    max_image_pixels: int = Field(default=250_000_000, ge=1)  # of one frame, as its header says
    max_render_pixels: int = Field(default=40_000_000, ge=10_000)  # a page is rendered no larger than this
    max_text_bytes: int = Field(default=32 * 1024 * 1024, ge=1)  # of a file of plain text, HTML, RTF or xls
    max_mail_bytes: int = Field(default=64 * 1024 * 1024, ge=1)  # of an e-mail with its attachments
    max_attachments: int = Field(default=100, ge=0)  # of an e-mail; further ones are named and not read
    # XML within an Office or OpenDocument file, as it is unpacked; the library has the same limit for one part
    max_unpacked_bytes: int = Field(default=64 * 1024 * 1024, ge=1, le=100 * 1024 * 1024)
    page_seconds: float = Field(default=120, gt=0)  # one reading of one page by the engine
