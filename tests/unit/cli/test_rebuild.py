"""What `pagestream rebuild` says at its end, and the exit code that goes with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import exits, folds
from cli.__main__ import app

DONE = {"step": "done", "generation": "k3f9ab", "replaced": "aaaaaa", "swapped": True}
DIGESTS = {"digest": "1", "digest_before": "1"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the process was asked for (`mode`), and what it answers (`outcome`)."""
    asked: dict[str, Any] = {"outcome": DONE | DIGESTS | {"differences": []}}

    @asynccontextmanager
    async def infrastructure(_: Any) -> AsyncIterator[None]:
        yield None

    async def told(_: Any, __: Any, ___: str, mode: str) -> AsyncIterator[dict[str, Any]]:
        asked["mode"] = mode
        yield asked["outcome"]

    monkeypatch.setattr(folds, "infrastructure", infrastructure)
    monkeypatch.setattr(folds, "output_of", told)
    return asked


@pytest.mark.parametrize(
    ("options", "mode"),
    [([], "swap"), (["--force"], "force"), (["--dry-run"], "dry-run"), (["--rollback"], "rollback")],
)
def test_each_option_sets_the_mode(asked: dict[str, Any], options: list[str], mode: str) -> None:
    assert CliRunner().invoke(app, ["rebuild", *options]).exit_code == exits.COMPLETED
    assert asked["mode"] == mode


def test_only_one_of_them_can_be_chosen(asked: dict[str, Any]) -> None:
    assert CliRunner().invoke(app, ["rebuild", "--force", "--dry-run"]).exit_code == 2


def test_one_that_differs_and_is_kept_says_what_differs_and_what_to_do(asked: dict[str, Any]) -> None:
    differs = {"swapped": False, "kept": True, "differences": ["chunks/1", "documents/2"]}
    asked["outcome"] = DONE | DIGESTS | differs
    ran = CliRunner().invoke(app, ["rebuild"])
    assert ran.exit_code == exits.FAILED
    for said in ("is not live", "2 differences", "chunks/1", "documents/2", "--force"):
        assert said in ran.output
