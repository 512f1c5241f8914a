"""Whether a stored or answered value has exactly the shape that a model describes."""

from typing import Any

import orjson
from pydantic import BaseModel


def assert_shape(model: type[BaseModel], value: Any) -> None:
    """The model accepts `value`, knows each of its fields at every depth, and none is missing that it requires."""
    plain = orjson.loads(orjson.dumps(value))
    assert model.model_validate(plain).model_dump(mode="json", exclude_unset=True) == plain
