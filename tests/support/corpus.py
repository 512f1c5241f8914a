"""The corpus of documents with expectations, which lies beside the checkout and is no part of it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

_BESIDE: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus"
_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True)
class Entry:
    """A document of the corpus and what is expected of it (the corpus's README explains the fields)."""

    path: Path
    kind: str
    tier: str
    expect: Mapping[str, Any]

    @property
    def accepted(self) -> Sequence[str]:
        """The outcomes that are tolerable."""
        return self.expect.get("accept") or [self.expect["outcome"]]

    @property
    def expected(self) -> str:
        """The expectation in a few words."""
        hint = f" ({self.expect['error_hint']})" if "error_hint" in self.expect else ""
        return "/".join(self.accepted) + hint


@dataclass(frozen=True)
class Outcome:
    """What became of a document: its status, the code of its error, its text, and the seconds until then."""

    status: str
    code: str | None = None
    text: str = ""
    seconds: float = 0.0


def folder() -> Path | None:
    """Where the corpus is: PAGESTREAM_CORPUS, else `shared/corpus` beside the checkout; None if it is not there."""
    path = Path(os.environ.get("PAGESTREAM_CORPUS") or _BESIDE)
    return path if (path / "manifest.jsonl").is_file() else None


def entries(folder: Path, tier: str) -> list[Entry]:
    """The documents of a tier ("core" or "extra"), in the order of the manifest."""
    lines = (orjson.loads(line) for line in (folder / "manifest.jsonl").read_bytes().splitlines())
    every = [Entry(folder / each["file"], each["kind"], each["tier"], each["expect"]) for each in lines]
    return [entry for entry in every if entry.tier == tier]


def deviation(entry: Entry, outcome: Outcome) -> str | None:
    """In what an outcome is not as expected; None if it is."""
    if outcome.status not in entry.accepted:
        return f"{outcome.status} {outcome.code or ''}".strip()
    if outcome.status == "failed":
        hints = entry.expect.get("error_hint", outcome.code or "").split("|")
        return None if outcome.code in hints else f"failed with {outcome.code}"
    if entry.expect.get("accept_without_text"):
        return None
    missing = [part for part in entry.expect["text_contains"] if _bare(part) not in _bare(outcome.text)]
    return f"without {missing}" if missing else None


def table(rows: Sequence[tuple[Entry, Outcome]]) -> str:
    """One line a document: file, expected, got, seconds; deviations marked."""
    lines = [f"  {'file':<36} {'expected':<48} {'got':<32} seconds"]
    for entry, outcome in rows:
        wrong = deviation(entry, outcome)
        got = wrong or f"{outcome.status} {outcome.code or ''}"
        line = f"{entry.path.name:<36} {entry.expected:<48} {got:<32} {outcome.seconds:7.1f}"
        lines.append(("! " if wrong else "  ") + line)
    return "\n".join(lines)


def _bare(text: str) -> str:
    """As the corpus compares: no case, no white space, straight apostrophes."""
    return _SPACE.sub("", text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
