"""The part of MongoDB's language that the project speaks: filters, expressions, updates, stages. Pure.

Whatever else is asked for raises NotImplementedError. `tests/integration/test_fakes.py` holds this to a real server.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

Row = dict[str, Any]


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()

# In the order in which MongoDB compares values of different types
_TYPES: Final[Sequence[tuple[str, tuple[type, ...]]]] = (
    ("missing", (_Missing,)), ("null", (type(None),)), ("number", (int, float)), ("string", (str,)),
    ("object", (dict,)), ("array", (list, tuple)), ("binData", (bytes,)), ("bool", (bool,)), ("date", (datetime,)),
)  # fmt: skip
_RANK: Final = {kind: rank for rank, (_, kinds) in enumerate(_TYPES) for kind in kinds}
_NAMES: Final = {kind: name for name, kinds in _TYPES for kind in kinds} | {int: "int", float: "double"}


def rank(value: Any) -> int:
    found = _RANK.get(type(value))
    return found if found is not None else next(r for r, (_, kinds) in enumerate(_TYPES) if isinstance(value, kinds))


def order(value: Any) -> Any:
    """A key that sorts as MongoDB does."""
    place = rank(value)
    if isinstance(value, dict):
        return place, [(rank(v), k, order(v)) for k, v in value.items()]
    if isinstance(value, list | tuple):
        return place, [order(v) for v in value]
    return place, 0 if value is None or value is MISSING else value


# ---- paths


def get(row: Any, path: str) -> Any:
    """The value at a dotted path, MISSING where there is none; through objects only, as expressions see it."""
    for name in path.split("."):
        if not isinstance(row, dict) or name not in row:
            return MISSING
        row = row[name]
    return row


def values(row: Any, path: str) -> list[Any]:
    """Every value that a filter finds at a dotted path: it looks into arrays, and at their numbered elements."""
    if not path:
        return [row]
    name, _, rest = path.partition(".")
    if isinstance(row, dict):
        return values(row[name], rest) if name in row else []
    if isinstance(row, list):
        found = [v for item in row if isinstance(item, dict) for v in values(item, path)]
        if name.isdecimal() and int(name) < len(row):
            found += values(row[int(name)], rest)
        return found
    return []


def put(row: Row, path: str, value: Any) -> None:
    """Set a dotted path; objects are copied on the way, so that the row's owner keeps the old ones."""
    name, _, rest = path.partition(".")
    if not rest:
        row[name] = value
        return
    inner = row.get(name)
    row[name] = dict(inner) if isinstance(inner, dict) else {}
    put(row[name], rest, value)


def remove(row: Row, path: str) -> None:
    name, _, rest = path.partition(".")
    if name not in row:
        return
    if not rest:
        del row[name]
    elif isinstance(row[name], dict):
        row[name] = dict(row[name])
        remove(row[name], rest)


# ---- filters


def matches(row: Row, wanted: Mapping[str, Any], now: datetime) -> bool:
    for name, condition in wanted.items():
        if name == "$or":
            good = any(matches(row, one, now) for one in condition)
        elif name == "$and":
            good = all(matches(row, one, now) for one in condition)
        elif name == "$expr":
            good = truth(evaluate(condition, row, now))
        elif name.startswith("$"):
            raise NotImplementedError(name)
        else:
            good = _holds(row, name, condition)
        if not good:
            return False
    return True


def _holds(row: Row, path: str, condition: Any) -> bool:
    found = [row[path]] if path in row else values(row, path)
    if not (isinstance(condition, dict) and condition and next(iter(condition)).startswith("$")):
        return _equals(found, condition)
    return all(_test(found, operator, operand) for operator, operand in condition.items())


def _equals(found: Sequence[Any], wanted: Any) -> bool:
    if wanted is None and not found:
        return True
    return any(v == wanted or (isinstance(v, list) and wanted in v) for v in found)


def _test(found: Sequence[Any], operator: str, operand: Any) -> bool:
    match operator:
        case "$eq":
            return _equals(found, operand)
        case "$ne":
            return not _equals(found, operand)
        case "$in":
            return any(_equals(found, one) for one in operand)
        case "$nin":
            return not any(_equals(found, one) for one in operand)
        case "$all":
            return all(_equals(found, one) for one in operand)
        case "$exists":
            return bool(found) == bool(operand)
        case "$not":
            return not all(_test(found, inner, value) for inner, value in operand.items())
        case "$regex":
            return any(isinstance(v, str) and re.search(operand, v) for v in _flat(found))
        case "$type":
            return any(_NAMES.get(type(v)) == operand for v in _flat(found))
        case "$lt" | "$lte" | "$gt" | "$gte":
            return any(_COMPARE[operator](order(v), order(operand)) for v in _flat(found) if rank(v) == rank(operand))
        case _:
            raise NotImplementedError(operator)


def _flat(found: Iterable[Any]) -> Iterable[Any]:
    for value in found:
        yield value
        if isinstance(value, list):
            yield from value


# ---- expressions

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
}


def truth(value: Any) -> bool:
    return value is not MISSING and value is not None and value != 0  # False is 0


def evaluate(expression: Any, row: Row, now: datetime) -> Any:
    """The value of an aggregation expression; MISSING where a field is not there."""
    if isinstance(expression, str):
        if expression == "$$NOW":
            return now
        if expression == "$$ROOT":
            return row
        if expression.startswith("$$"):
            raise NotImplementedError(expression)
        return get(row, expression[1:]) if expression.startswith("$") else expression
    if isinstance(expression, list | tuple):
        return [None if (v := evaluate(one, row, now)) is MISSING else v for one in expression]
    if not isinstance(expression, dict):
        return expression
    if len(expression) == 1 and (name := next(iter(expression))).startswith("$"):
        return _apply(name, expression[name], row, now)
    told = {name: evaluate(value, row, now) for name, value in expression.items()}
    return {name: value for name, value in told.items() if value is not MISSING}


def _apply(name: str, argument: Any, row: Row, now: datetime) -> Any:
    if name == "$literal":
        return argument
    if name == "$cond":
        if isinstance(argument, dict):
            argument = [argument["if"], argument["then"], argument["else"]]
        return evaluate(argument[1] if truth(evaluate(argument[0], row, now)) else argument[2], row, now)
    if name in ("$and", "$or"):
        found = (truth(evaluate(one, row, now)) for one in argument)
        return all(found) if name == "$and" else any(found)
    if name == "$not":
        return not truth(evaluate(argument[0] if isinstance(argument, list) else argument, row, now))
    if name == "$type":
        return _NAMES.get(type(evaluate(argument, row, now)), "object")
    given = [evaluate(one, row, now) for one in (argument if isinstance(argument, list) else [argument])]
    return _of_values(name, given)


def _of_values(name: str, given: list[Any]) -> Any:
    if name in _COMPARE:
        return _COMPARE[name](order(given[0]), order(given[1]))
    match name:
        case "$ifNull":
            return next((v for v in given if v is not MISSING and v is not None), given[-1])
        case "$add":
            return _add(given)
        case "$subtract":
            return _subtract(*given)
        case "$in":
            return given[0] in given[1]
        case "$mergeObjects":
            merged: Row = {}
            for one in given:
                merged |= one if isinstance(one, dict) else {}
            return merged
        case "$max" | "$min":
            there = [v for v in given if v is not MISSING and v is not None]
            return (max if name == "$max" else min)(there, key=order) if there else None
        case _:
            raise NotImplementedError(name)


def _add(given: list[Any]) -> Any:
    if any(v is None or v is MISSING for v in given):
        return None
    dates = [v for v in given if isinstance(v, datetime)]
    total = sum(v for v in given if not isinstance(v, datetime))
    return dates[0] + timedelta(milliseconds=total) if dates else total


def _subtract(left: Any, right: Any) -> Any:
    if left is None or right is None or left is MISSING or right is MISSING:
        return None
    if isinstance(right, datetime):
        return round((left - right).total_seconds() * 1000)
    return left - timedelta(milliseconds=right) if isinstance(left, datetime) else left - right


# ---- updates


def updated(row: Row, change: Mapping[str, Any] | Sequence[Row], now: datetime) -> Row:
    """The row after an update: operators, or a pipeline of stages."""
    after = dict(row)
    if not isinstance(change, Mapping):
        for stage in change:
            after = _stage(after, stage, now)
        return after
    for operator, fields in change.items():
        for path, value in fields.items():
            match operator:
                case "$set":
                    put(after, path, value)
                case "$unset":
                    remove(after, path)
                case "$currentDate":
                    put(after, path, now)
                case _:
                    raise NotImplementedError(operator)
    return after


def _stage(row: Row, stage: Row, now: datetime) -> Row:
    ((name, argument),) = stage.items()
    if name in ("$set", "$addFields"):
        after = dict(row)
        for path, expression in argument.items():
            value = evaluate(expression, row, now)
            if value is MISSING:
                remove(after, path)
            else:
                put(after, path, value)
        return after
    if name == "$replaceWith":
        found = evaluate(argument, row, now)
        return {**({"_id": row["_id"]} if "_id" in row else {}), **found}
    if name == "$unset":
        after = dict(row)
        for path in [argument] if isinstance(argument, str) else argument:
            remove(after, path)
        return after
    raise NotImplementedError(name)


def seed_of(wanted: Mapping[str, Any]) -> Row:
    """What an upsert takes from its filter: the fields that must be equal to something."""
    row: Row = {}
    for name, condition in wanted.items():
        is_operator = isinstance(condition, dict) and any(key.startswith("$") for key in condition)
        if not name.startswith("$") and not is_operator:
            put(row, name, condition)
    return row


# ---- answers


def projected(row: Row, fields: Mapping[str, Any] | None) -> Row:
    """The row as a query's projection shows it."""
    if not fields:
        return row
    named = {name: wanted for name, wanted in fields.items() if name != "_id"}
    if any(isinstance(wanted, dict) for wanted in named.values()):
        raise NotImplementedError("computed fields")
    if any(named.values()) or (not named and fields.get("_id")):
        shown: Row = {"_id": row["_id"]} if fields.get("_id", 1) else {}
        for path in named:
            if (value := get(row, path)) is not MISSING:
                put(shown, path, value)
        return shown
    shown = dict(row)
    for path in named:
        remove(shown, path)
    if not fields.get("_id", 1):
        shown.pop("_id", None)
    return shown


def ordered(rows: Iterable[Row], keys: Sequence[tuple[str, int]]) -> list[Row]:
    found = list(rows)
    for path, direction in reversed(keys):
        found.sort(key=lambda row: order(None if (v := get(row, path)) is MISSING else v), reverse=direction < 0)
    return found


def aggregated(rows: Iterable[Row], steps: Sequence[Row], now: datetime) -> list[Row]:
    found = list(rows)
    for step in steps:
        ((name, argument),) = step.items()
        match name:
            case "$match":
                found = [row for row in found if matches(row, argument, now)]
            case "$group":
                found = _grouped(found, argument, now)
            case "$project":
                found = [_shown(row, argument, now) for row in found]
            case "$sort":
                found = ordered(found, list(argument.items()))
            case "$limit":
                found = found[:argument]
            case _:
                raise NotImplementedError(name)
    return found


def _shown(row: Row, fields: Row, now: datetime) -> Row:
    plain = {name: wanted for name, wanted in fields.items() if wanted in (0, 1, True, False)}
    shown = projected(row, plain) if plain else {"_id": row["_id"]}
    for name, expression in fields.items():
        if name not in plain and (value := evaluate(expression, row, now)) is not MISSING:
            put(shown, name, value)
    return shown


def _grouped(rows: Sequence[Row], group: Row, now: datetime) -> list[Row]:
    members: dict[str, tuple[Any, list[Row]]] = {}
    for row in rows:
        key = evaluate(group["_id"], row, now)
        members.setdefault(repr(order(key)), (None if key is MISSING else key, []))[1].append(row)
    return [
        {"_id": key, **{n: _accumulated(a, mine, now) for n, a in group.items() if n != "_id"}}
        for key, mine in members.values()
    ]


def _accumulated(accumulator: Row, rows: Sequence[Row], now: datetime) -> Any:
    ((name, expression),) = accumulator.items()
    found = [v for row in rows if (v := evaluate(expression, row, now)) is not MISSING and v is not None]
    match name:
        case "$sum":
            return sum(v for v in found if isinstance(v, int | float))
        case "$max":
            return max(found, key=order, default=None)
        case "$min":
            return min(found, key=order, default=None)
        case _:
            raise NotImplementedError(name)
