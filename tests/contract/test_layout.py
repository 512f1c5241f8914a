"""The rooms of the house: small folders with a docstring each, and helpers of tests in one place."""

import ast
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LIMIT: Final = 16  # modules in a folder
TIERS: Final = ("browser", "chaos", "contract", "integration", "property", "simulation", "system", "unit")
OUTSIDE: Final = {
    "shared": {"errors", "error_catalog", "results", "media_types", "provisioning"},
    "services/gateway": {
        "__main__", "app", "settings", "metrics", "problems", "server", "dependencies", "targets",
    },
}  # fmt: skip
OLD_MODULES: Final = {
    "news", "past", "wishes", "memory", "tally", "bulk", "answers", "given", "settled", "trust", "whole", "parts",
    "doorkeeper", "keyring", "parking", "pieces",
}  # fmt: skip
OLD_NAMES: Final = {
    "doorkeeper", "keyring", "traced", "piece", "pieces", "parking", "news", "tally", "tallies", "told", "odd", "most",
}  # fmt: skip  # as a word of any name
OLD_CLASSES: Final = {"Given", "Counted", "Tally", "Wish", "Wishes"}  # as a whole name
OF_THE_SIMULATION: Final = "tests/integration/test_fakes.py"  # holds the simulation's fakes against the real parts


def modules(*folders: str) -> list[Path]:
    """Every Python module below the folders, its path from the repository's root."""
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(module: Path) -> list[str]:
    """The full names that a module imports."""
    found = []
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def test_no_folder_has_more_modules_than_one_can_survey() -> None:
    count = Counter(path.parent for path in modules("services", "shared") if path.stem != "__init__")
    assert count

    assert {str(folder): many for folder, many in count.items() if many > LIMIT} == {}


@pytest.mark.parametrize("folder", OUTSIDE)
def test_every_other_module_is_in_a_room(folder: str) -> None:
    found = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}

    assert found <= OUTSIDE[folder]


def test_every_package_has_a_docstring() -> None:
    packages = [path for path in modules("services", "shared", "cli", "pagestream", "stack") if path.stem == "__init__"]
    assert packages

    assert [str(path) for path in packages if not ast.get_docstring(ast.parse((ROOT / path).read_text()))] == []


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in modules("services", "shared", "cli", "pagestream", "stack")}

    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("tier", TIERS)
def test_helpers_that_several_tiers_use_are_in_support(tier: str) -> None:
    others = tuple(f"tests.{other}." for other in TIERS if other != tier)
    found = {
        str(module): name
        for module in modules(f"tests/{tier}")
        for name in imported(module)
        if name.startswith(others) and str(module) != OF_THE_SIMULATION
    }

    assert found == {}


def test_no_helper_is_imported_from_a_test_module() -> None:
    found = {
        str(module): name
        for module in modules("tests", "benchmarks")
        for name in imported(module)
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
    }

    assert found == {}


def names(module: Path) -> set[str]:
    """What a module defines, by name: classes, functions, parameters and variables."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_no_module_has_an_old_name() -> None:
    found = [str(path) for path in modules("services", "shared", "cli", "pagestream") if path.stem in OLD_MODULES]

    assert found == []


def test_no_old_word_names_anything() -> None:
    found = {
        f"{module}: {name}"
        for module in modules("services", "shared", "cli", "pagestream")
        for name in names(module)
        if name in OLD_CLASSES or OLD_NAMES & {name.strip("_").lower(), *name.lower().split("_")}
    }

    assert found == set()
