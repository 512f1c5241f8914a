"""Who may import whom: the contracts stand in pyproject.toml, and each is proved here by name."""

import tomllib
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "pyproject.toml"
CONTRACTS = [contract["name"] for contract in tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]]


def test_every_contract_about_imports_is_kept(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)

    status = lint_imports(config_filename=str(PROJECT), no_cache=True)

    said = capsys.readouterr().out
    assert status == EXIT_STATUS_SUCCESS, said
    assert all(f"{name} KEPT" in said for name in CONTRACTS)


@pytest.mark.parametrize("service", ["gateway", "ocr", "chunker", "extractor", "progress"])
def test_every_service_is_a_folder_of_the_same_shape(service):
    folder = ROOT / "services" / service

    assert {"__init__.py", "__main__.py", "settings.py"} <= {path.name for path in folder.iterdir()}
