"""Compare Athena's answers with items, cell by cell."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import expected

from dynoexport.aws import athena

if TYPE_CHECKING:
    from collections.abc import Sequence

    from expected import Item, Kind

    from dynoexport.aws.athena import Result


def differences(items: Sequence[Item], answer: Result, fmt: str) -> list[str]:
    """Every difference between what docs/types.md promises of the items and the answer."""
    columns = expected.columns(list(items), expected.Rules())
    kinds = {column.name: column.kind for column in columns}
    types = dict(zip(answer.columns, answer.types, strict=True))
    by_name = {}
    for row in answer.rows:
        cells = dict(zip(answer.columns, row, strict=True))
        by_name[cells.get("id")] = cells
    wanted = {item["id"]["S"]: expected.row(item, columns, fmt) for item in items}
    faults = [f"{len(answer.rows)} rows instead of {len(items)}"] * (len(answer.rows) != len(items))
    faults += [f"row {key} is missing" for key in wanted.keys() - by_name.keys()]
    for key in wanted.keys() & by_name.keys():
        for name, value in wanted[key].items():
            if name not in by_name[key]:
                faults.append(f"row {key} has no column {name}")
            elif not same(value, by_name[key][name], types[name], kinds[name]):
                faults.append(f"row {key}, {name}: {by_name[key][name]!r} instead of {value!r}")
    return sorted(faults)


def same(wanted: Any, found: str | None, kind: str, column: Kind) -> bool:
    """Whether Athena's text is the value."""
    if wanted is None or found is None:
        return wanted is found
    if isinstance(wanted, (list, dict)):
        return nested(wanted, column) == found
    if isinstance(wanted, bytes):
        return bytes.fromhex(found) == wanted
    return bool(athena.typed(kind, found) == wanted)


def nested(value: Any, kind: Kind) -> str:  # noqa: PLR0911 - a type each
    """The text of a value within a row, a map or an array."""
    if value is None:
        return "null"
    if kind[0] == "array":
        return "[" + ", ".join(nested(element, kind[1]) for element in value) + "]"
    if kind[0] == "struct":
        fields = (f"{name}={nested(value[name], inner)}" for _, name, inner in kind[1])
        return "{" + ", ".join(fields) + "}"
    if kind == expected.MAP:
        return (
            "{" + ", ".join(f"{key}={nested(text, expected.STRING)}" for key, text in value) + "}"
        )
    if kind[0] == "decimal":
        return f"{Decimal(value):.{kind[1]}f}"
    if isinstance(value, bool):
        return str(value).lower()
    return value.hex(" ") if isinstance(value, bytes) else str(value)
