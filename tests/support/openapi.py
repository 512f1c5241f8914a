"""The calls and answers that the gateway's OpenAPI document names."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

JSON: Final = "application/json"


class Operation(NamedTuple):
    """One call of the HTTP interface."""

    method: str
    path: str
    described: Mapping[str, Any]


def operations_of(openapi: Mapping[str, Any]) -> dict[str, Operation]:
    """Every call, by its id."""
    return {
        described["operationId"]: Operation(method.upper(), path, described)
        for path, methods in openapi["paths"].items()
        for method, described in methods.items()
    }


def answers_of(operations: Mapping[str, Operation]) -> Iterator[tuple[str, str, str]]:
    """Each operation that answers in JSON: its id, the status and the name of the schema."""
    for name, operation in operations.items():
        for status, response in operation.described["responses"].items():
            if status.startswith("2") and JSON in response.get("content", {}):
                ref = response["content"][JSON]["schema"].get("$ref", "")
                yield name, status, ref.rpartition("/")[2]
