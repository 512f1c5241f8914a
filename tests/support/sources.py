"""The project's own sources as syntax trees, for tests that hold something for every call in the code base."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "services", "stack", "cli")


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a function or method of one of these names, with where it stands."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _name(node.func) in names:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def constant(node: ast.expr | None) -> Any:
    """The value of a literal, None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def keywords(call: ast.Call) -> set[str] | None:
    """The names of the keyword arguments; None where some are passed on with **."""
    found = {keyword.arg for keyword in call.keywords}
    return None if None in found else {name for name in found if name}


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
