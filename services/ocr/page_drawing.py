"""Page images, drawn one by one in a sandboxed child: a module for `shared.harness.sandbox.child`, as a stage has one.

The gateway starts such children by this module's name; nothing of it is ever loaded in the gateway's process.
"""

import base64
from functools import cache, partial
from io import BytesIO
from typing import Final

from PIL import Image

from services.ocr import documents
from services.ocr.settings import OcrSettings
from shared.harness.contract import Result, Slice, Task
from shared.runtime.settings import read

_QUALITY: Final = 80  # letters stay sharp; 60 to 200 KB for a page of text, 1000 pixels wide

settings: Final = cache(partial(read, OcrSettings))


def work(task: Task, slice_: Slice) -> Result:
    """{"image": JPEG in base64, "width", "height"} for the one page of `slice`, at most `args["width"]` pixels wide.

    The rest of the slice is as the stage planned it. Raises Rejected: no_image, corrupt_pdf, corrupt_image, too_large.
    """
    picture = documents.picture(task, slice_, settings(), slice_.args["width"])
    return {"image": base64.b64encode(_jpeg(picture)).decode(), "width": picture.width, "height": picture.height}


def _jpeg(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True)  # no EXIF data: where a photo was taken stays here
    return file.getvalue()
