"""Compare rows with items, cell by cell, and name each difference."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import expected


def promised_schema(items: list[expected.Item], fmt: str) -> list[tuple[str, str, str]]:
    """Name, type and attribute of each column that docs/types.md promises of the items."""
    columns = expected.columns(items, expected.Rules())
    return [(found.name, expected.hive(found.kind, fmt), found.attribute) for found in columns]


def recorded_schema(manifest: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The same of a manifest."""
    return [(column["name"], column["type"], column["attribute"]) for column in manifest["schema"]]


def differences(items: list[expected.Item], rows: list[dict[str, Any]], fmt: str) -> list[str]:
    """Every difference between what docs/types.md promises of the items and the rows."""
    columns = expected.columns(items, expected.Rules())
    wanted = {item["id"]["S"]: expected.row(item, columns, fmt) for item in items}
    by_id = {row.get("id"): row for row in rows}
    repeated = Counter(row.get("id") for row in rows)
    faults = [f"row {key} is there {count} times" for key, count in repeated.items() if count > 1]
    faults += [f"row {key} is missing" for key in wanted.keys() - by_id.keys()]
    faults += [f"row {key} is no item" for key in by_id.keys() - wanted.keys()]
    for key in wanted.keys() & by_id.keys():
        faults += row_differences(key, wanted[key], by_id[key])
    return sorted(faults)


def row_differences(key: str, wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Columns that one of them lacks, and cells that differ."""
    faults = [f"row {key} has no column {name}" for name in wanted.keys() - found.keys()]
    faults += [
        f"row {key} has a column {name} too many"
        for name in found.keys() - wanted.keys()
        # An attribute that is gone keeps its column, without values.
        if found[name] is not None and found[name] != ""
    ]
    for name in wanted.keys() & found.keys():
        if not same(wanted[name], found[name]):
            faults.append(f"row {key}, {name}: {found[name]!r} instead of {wanted[name]!r}")
    return faults


def same(wanted: Any, found: Any) -> bool:
    """Equal values of one kind: true is not 1, text is not binary, 0.1 is not almost 0.1."""
    if kind(wanted) != kind(found):
        return False
    if isinstance(wanted, dict):
        names = wanted.keys() | found.keys()
        # A struct that grew has fields that this item lacks: they are null.
        return all(same(wanted.get(name), found.get(name)) for name in names)
    if isinstance(wanted, list | tuple):
        return len(wanted) == len(found) and all(map(same, wanted, found))
    return bool(wanted == found)


def kind(value: Any) -> str:
    """The kind of a value; bool before number, because it is an int."""
    kinds = {
        "boolean": bool,
        "exact": int | Decimal,
        "double": float,
        "text": str,
        "binary": bytes,
        "list": list,
        "pair": tuple,
        "struct": dict,
        # Of statements; no item has one, and a datetime is a date to Python.
        "moment": datetime,
        "date": date,
        "null": type(None),
    }
    return next(name for name, types in kinds.items() if isinstance(value, types))
