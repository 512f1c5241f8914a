"""No regular expression takes more than linear time, whatever text it is given.

Every pattern in `shared/` and `services/` is found by its call of `re`, so that a new one is tested without being
listed. Each is fed with repetitions of what its own elements match, followed by what makes it fail at the end.
"""

import ast
import importlib
import re
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from re import _constants as sre
from re import _parser
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CALLS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
ANCHORED = {"match", "fullmatch"}
LENGTH = 12_000  # characters; quadratic time is a tenth of a second and more at this length
QUICK = 0.004  # seconds of CPU: what is done sooner is not quadratic
GROWTH = 3.0  # times as much for a text twice as long; quadratic time grows by 4
CLASSES = {
    sre.CATEGORY_DIGIT: "7", sre.CATEGORY_NOT_DIGIT: "a", sre.CATEGORY_SPACE: " ", sre.CATEGORY_NOT_SPACE: "a",
    sre.CATEGORY_WORD: "a", sre.CATEGORY_NOT_WORD: "-",
}  # fmt: skip
TAILS = ("\x01", "\n!", " a1-")


class Found(NamedTuple):
    """A pattern, where it stands, and whether it is only ever tried at one place of a text."""

    where: str
    pattern: "re.Pattern[Any]"
    anchored: bool


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls of `re` in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re" and node.func.attr in CALLS:
                yield node


def compiled_in(module: Any) -> dict[str, "re.Pattern[Any]"]:
    """The patterns that a module holds, also within its objects and mappings, by name."""
    found = {}
    for name, value in vars(module).items():
        inner = value.values() if isinstance(value, dict) else [value, *getattr(value, "__dict__", {}).values()]
        for number, one in enumerate(inner):
            if isinstance(one, re.Pattern):
                found[f"{name}{number or ''}"] = one
    return found


def tries(name: str, source: str) -> set[str]:
    """How the module uses the pattern of a name."""
    return set(re.findall(rf"\b{re.escape(name)}\.(\w+)", source)) & CALLS


def everything() -> list[Found]:
    found: dict[tuple[Any, int, bool], Found] = {}
    for folder in ("shared", "services"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            source = file.read_text()
            if not re.search(r"\bre\.", source):
                continue
            dotted = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            module = importlib.import_module(dotted)
            for name, pattern in compiled_in(module).items():
                use = tries(name, source)
                one = Found(f"{dotted}.{name}", pattern, bool(use) and use <= ANCHORED)
                found.setdefault((pattern.pattern, pattern.flags, one.anchored), one)
            for call in calls(ast.parse(source)):
                argument = call.args[0]
                if isinstance(argument, ast.Name):
                    pattern = re.compile(getattr(module, argument.id))
                elif isinstance(argument, ast.Constant):
                    pattern = re.compile(argument.value)
                else:
                    continue  # made of parts: it is held by the module once it is compiled
                if call.func.attr != "compile":
                    one = Found(f"{dotted}:{call.lineno}", pattern, call.func.attr in ANCHORED)
                    found.setdefault((pattern.pattern, pattern.flags, one.anchored), one)
    return list(found.values())


REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def branches(operation: Any, argument: Any) -> list[Any]:
    """The sequences within one element of a pattern."""
    if operation in REPEATS:
        return [argument[2]]
    if operation is sre.SUBPATTERN:
        return [argument[3]]
    if operation is sre.BRANCH:
        return list(argument[1][:12])
    if operation is sre.ATOMIC_GROUP:
        return [argument]
    return [argument[1]] if operation in (sre.ASSERT, sre.ASSERT_NOT) else []


def sample(items: Any, *, full: bool) -> str:
    """A short text that a sequence matches; `full`: also with one of what may be left out."""
    said = ""
    for operation, argument in items:
        if operation is sre.LITERAL:
            said += chr(argument)
        elif operation is sre.IN:
            said += member(argument)
        elif operation is sre.ANY:
            said += "."
        elif operation is sre.NOT_LITERAL:
            said += "a" if argument != ord("a") else "b"
        elif operation in REPEATS:
            said += sample(argument[2], full=full) * (max(argument[0], 1) if full else argument[0])
        elif operation in (sre.SUBPATTERN, sre.BRANCH, sre.ATOMIC_GROUP):
            said += sample(branches(operation, argument)[0], full=full)
    return said


def atoms(pattern: "re.Pattern[Any]") -> list[str]:
    """What the elements of a pattern match, each alone, and each sequence within it at its shortest and in full.

    What stands in a repeated group comes first: repetitions within repetitions are where time is lost.
    """
    inner: dict[str, None] = {}
    single: dict[str, None] = {}

    def walk(items: Any, *, repeated: bool) -> None:
        for operation, argument in items:
            if not branches(operation, argument):
                single[sample([(operation, argument)], full=True)] = None
            for sequence in branches(operation, argument):
                if repeated or operation in REPEATS:
                    inner.update(dict.fromkeys((sample(sequence, full=False), sample(sequence, full=True))))
                walk(sequence, repeated=repeated or operation in REPEATS)

    whole = _parser.parse(pattern.pattern, pattern.flags)
    walk(whole, repeated=False)
    found = [*list(inner)[:16], *list(single)[:16], sample(whole, full=False), sample(whole, full=True)]
    return [atom for atom in dict.fromkeys(found) if atom]


def member(items: Any) -> str:
    """One character that a class matches."""
    negated = items[0][0] is sre.NEGATE
    for operation, argument in items:
        if operation is sre.LITERAL and not negated:
            return chr(argument)
        if operation is sre.RANGE and not negated:
            return chr(argument[0])
        if operation is sre.CATEGORY and not negated:
            return CLASSES[argument]
    excluded = {chr(a) for o, a in items if o is sre.LITERAL} | {CLASSES[a] for o, a in items if o is sre.CATEGORY}
    return next(c for c in "a7 -\n.é" if c not in excluded)


def repeats(pattern: "re.Pattern[Any]") -> list[tuple[str, str]]:
    """What to begin with and what to repeat: each atom, each two of them, and all in their order."""
    single = atoms(pattern)
    small = sorted(single, key=len)[:5]
    repeated = [*single, *("".join(two) for two in product(small, small)), "".join(single)]
    starts = ["", "".join(single[:2])]
    return list(dict.fromkeys((start, again) for start in starts for again in repeated if again))


def seconds(one: Found, text: Any) -> float:
    """The CPU time of one use of the pattern on a text."""
    began = time.process_time()
    if one.anchored:
        one.pattern.match(text)
        one.pattern.fullmatch(text)
    else:
        for _ in one.pattern.finditer(text):
            pass
    return time.process_time() - began


def grows(one: Found, start: str, again: str, tail: str) -> float:
    """How many times as long a text twice as long takes; 0 where the first is quick."""

    def text(length: int) -> Any:
        made = start + again * (length // len(again)) + tail
        return made.encode("latin-1", "replace") if isinstance(one.pattern.pattern, bytes) else made

    for few in (12, 16, 20):  # what doubles with each repetition shows here, and would never end below
        if seconds(one, text(few * len(again))) > 5 * QUICK:
            return float("inf")
    if seconds(one, text(LENGTH)) < QUICK:
        return 0.0
    ratio = 0.0
    for _ in range(3):  # a busy machine is no slow pattern
        long, short = (min(seconds(one, text(length)) for _ in range(2)) for length in (2 * LENGTH, LENGTH))
        ratio = long / short
        if ratio <= GROWTH:
            break
    return ratio


PATTERNS = everything()


@pytest.mark.parametrize("one", PATTERNS, ids=[one.where for one in PATTERNS])
def test_a_pattern_takes_time_in_proportion_to_the_text(one: Found) -> None:
    for start, again in repeats(one.pattern):
        for tail in TAILS:
            assert grows(one, start, again, tail) <= GROWTH, f"{again!r} again and again after {start!r}, then {tail!r}"


def test_every_pattern_is_found() -> None:
    """A call of `re` whose pattern is made of parts must be held by its module, by name or within an object."""
    for folder in ("shared", "services"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            dotted = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            made = [c for c in calls(ast.parse(file.read_text())) if c.func.attr == "compile"]
            if made:
                held = compiled_in(importlib.import_module(dotted))
                assert held, f"{dotted} compiles a pattern that this test cannot see"
