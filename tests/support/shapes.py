"""Whether a stored or answered value has exactly the shape that a model describes."""

from collections.abc import Iterator
from typing import Any

import orjson
from pydantic import BaseModel


def assert_shape(model: type[BaseModel], value: Any) -> None:
    """The model accepts `value` as JSON without converting it, knows each field at every depth, and misses none."""
    written = orjson.dumps(value)
    read = model.model_validate_json(written, strict=True)
    known, given = read.model_dump(mode="json", exclude_unset=True), orjson.loads(written)
    differ = sorted(set(paths(known)) ^ set(paths(given)))
    assert fields(known) == fields(given), f"{model.__name__} and the value differ in: {', '.join(differ)}"


def fields(value: Any) -> Any:
    """The names at every depth, without what is written under them."""
    match value:
        case dict():
            return {name: fields(one) for name, one in value.items()}
        case list():
            return [fields(one) for one in value]
        case _:
            return None


def paths(value: Any, at: str = "") -> Iterator[str]:
    """The place of each name at every depth, as in `stages.ocr.error` or `pages.failed.0`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield f"{at}{name}"
        yield from paths(one, f"{at}{name}.")
