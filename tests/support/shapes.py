"""Whether a stored or answered value has exactly the shape that a model describes."""

from typing import Any

import orjson
from pydantic import BaseModel


def assert_shape(model: type[BaseModel], value: Any) -> None:
    """The model accepts `value` as JSON without converting it, knows each field at every depth, and misses none."""
    written = orjson.dumps(value)
    read = model.model_validate_json(written, strict=True)
    assert fields(read.model_dump(mode="json", exclude_unset=True)) == fields(orjson.loads(written))


def fields(value: Any) -> Any:
    """The names at every depth, without what is written under them."""
    match value:
        case dict():
            return {name: fields(one) for name, one in value.items()}
        case list():
            return [fields(one) for one in value]
        case _:
            return None
