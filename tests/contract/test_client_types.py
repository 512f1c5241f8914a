"""The types of the Python client and of the npm package against the models of the HTTP interface."""

import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NotRequired, Union, get_args, get_origin

import pytest
from pydantic import AwareDatetime, BaseModel

from pagestream import views
from services.gateway.api import schemas
from shared import results

CLIENT: Final = (Path(__file__).parents[2] / "types/client.d.ts").read_text()
TYPED: Final = sorted(name for name in vars(views) if hasattr(getattr(views, name), "__total__"))
INTERFACES: Final[dict[str, type[BaseModel]]] = {
    "Message": schemas.Message,
    "DocumentError": schemas.Error,
    "StageView": schemas.StageView,
    "DocumentView": schemas.DocumentView,
    "JobView": schemas.JobView,
}


def shape(annotation: Any) -> Any:
    """What a type allows in JSON, whether a model or a typed dictionary describes it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or hasattr(annotation, "__total__")):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return {name: shape(hint) for name, hint in hints.items() if name != "model_config"}
    match origin:
        case _ if origin in (Annotated, NotRequired):
            return shape(arguments[0])
        case _ if origin is Literal:
            return frozenset(arguments)
        case _ if origin in (Union, types.UnionType):
            return {"one of": sorted(map(str, map(shape, arguments)))}
        case _ if origin is not None:
            return [origin, *map(shape, arguments)]
        case _:
            return str if annotation is AwareDatetime else annotation


def required(kind: Any) -> set[str]:
    if issubclass(kind, BaseModel):
        return {name for name, field in kind.model_fields.items() if field.is_required()}
    return set(kind.__required_keys__)


@pytest.mark.parametrize("name", TYPED)
def test_the_python_client_types_an_answer_as_the_gateway_gives_it(name: str) -> None:
    model = getattr(schemas, name, None) or getattr(results, name)
    assert shape(getattr(views, name)) == shape(model)
    assert required(getattr(views, name)) == required(model)


def test_the_typed_dictionaries_are_found() -> None:
    assert {"DocumentView", "JobView", "Extraction", "Timeline"} <= set(TYPED)


def members(interface: str) -> dict[str, str]:
    """The members of an interface of the npm package, with their types."""
    (body,) = re.findall(rf"^export interface {interface} \{{(.*?)\}}$", CLIENT, re.DOTALL | re.MULTILINE)
    return dict(re.findall(r"(\w+\??): ((?:\{[^}]*\}|[^;{])+);", re.sub(r"/\*\*.*?\*/", "", body) + ";"))


@pytest.mark.parametrize("interface", INTERFACES)
def test_the_npm_package_types_an_answer_as_the_gateway_gives_it(interface: str) -> None:
    fields = INTERFACES[interface].model_fields
    typed = members(interface)
    assert {name.rstrip("?") for name in typed} == set(fields)
    assert {name.rstrip("?") for name in typed if name.endswith("?")} == set(fields) - required(INTERFACES[interface])
    nullable = {name for name, field in fields.items() if type(None) in get_args(field.annotation)}
    assert {name for name, type_ in typed.items() if re.search(r"\| null$", type_)} == nullable


@pytest.mark.parametrize("name", ["DocumentStatus", "StageStatus"])
def test_the_npm_package_knows_every_status(name: str) -> None:
    (values,) = re.findall(rf"^export type {name} =(.*?);$", CLIENT, re.DOTALL | re.MULTILINE)
    assert set(re.findall(r'"(\w+)"', values)) == set(get_args(getattr(schemas, name)))
