"""What docs/types.md promises, in plain Python: the columns and rows of a table's first snapshot.

Written from the document and not from the job, which it must not import. It looks at every value
of an attribute at once, and its only aim is to be obviously right.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]
# A type: ("bigint",), ("decimal", scale), ("array", type), ("struct", ((key, name, type), ...)).
Kind = tuple[Any, ...]

# What XML cannot hold: https://www.w3.org/TR/xml/#charsets
UNHOLDABLE = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
STRING: Kind = ("string",)
MAP: Kind = ("map",)
FAMILIES = {"S": "s", "N": "n", "D": "n", "BOOL": "bool", "B": "b", "M": "m"}
FAMILIES |= dict.fromkeys(["L", "SS", "NS", "BS"], "l")


@dataclass(frozen=True)
class Rules:
    """The settings that decide on types."""

    type_conflicts: str = "string"
    maps_as: str = "struct"
    max_struct_fields: int = 200


@dataclass(frozen=True)
class Column:
    """A column of the view: its name, its type, the attribute and the family of its values."""

    name: str
    kind: Kind
    attribute: str
    family: str = ""


# --- values ---------------------------------------------------------------------------------------
def code(value: Value) -> str:
    (found,) = value
    return found


def content(value: Value) -> Any:
    (found,) = value.values()
    return found


def is_null(value: Value | None) -> bool:
    return value is None or "NULL" in value


def elements(value: Value) -> list[Value]:
    kind = code(value)
    if kind == "L":
        return list(content(value))
    in_order = sorted(
        content(value), key=Decimal if kind == "NS" else b64 if kind == "BS" else None
    )
    return [{kind[0]: element} for element in in_order]


def b64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


def as_json(value: Value) -> str:  # noqa: PLR0911 - a type each
    """A value as JSON text, under DynamoDB's own names."""
    kind, held = code(value), content(value)
    if kind == "NULL":
        return "null"
    if kind in {"N", "D"}:
        return str(held)
    if kind == "BOOL":
        return "true" if held else "false"
    if kind == "B":
        return json.dumps(b64(held))
    if kind == "S":
        return json.dumps(held, ensure_ascii=False)
    if kind == "M":
        pairs = [f"{json.dumps(k, ensure_ascii=False)}:{as_json(held[k])}" for k in sorted(held)]
        return "{" + ",".join(pairs) + "}"
    return "[" + ",".join(as_json(element) for element in elements(value)) + "]"


def as_text(value: Value) -> str | None:
    kind, held = code(value), content(value)
    if kind == "NULL":
        return None
    if kind in {"S", "N", "D"}:
        return str(held)
    return b64(held) if kind == "B" else as_json(value)


# --- types ----------------------------------------------------------------------------------------
def kind_of(values: list[Value], rules: Rules) -> Kind:
    held = [value for value in values if not is_null(value)]
    families = {FAMILIES[code(value)] for value in held}
    if len(families) != 1:
        return STRING
    (family,) = families
    if family == "n":
        return number_kind(held)
    if family == "l":
        inner = [element for value in held for element in elements(value)]
        if len({FAMILIES[code(element)] for element in inner if not is_null(element)}) > 1:
            return STRING
        return ("array", kind_of(inner, rules))
    if family == "m":
        return map_kind(held, rules)
    return {"s": STRING, "bool": ("boolean",), "b": ("binary",)}[family]


def number_kind(values: list[Value]) -> Kind:
    if any(code(value) == "D" for value in values):
        return ("double",)
    numbers = [Decimal(content(value)) for value in values]
    if all(is_long(number) for number in numbers):
        return ("bigint",)
    scale = max(decimals(number) for number in numbers)
    # Not by abs(), which rounds to 28 digits.
    limit = Decimal(f"1E{38 - scale}")
    if scale <= 38 and all(-limit < number < limit for number in numbers):
        return ("decimal", scale)
    return STRING


def is_long(number: Decimal) -> bool:
    return decimals(number) == 0 and -(2**63) <= number < 2**63


def decimals(number: Decimal) -> int:
    """The number of digits after the point, without padding."""
    text = f"{number:f}"
    return len(text.partition(".")[2].rstrip("0"))


def map_kind(values: list[Value], rules: Rules) -> Kind:
    keys = sorted({key for value in values for key in content(value)})
    if rules.maps_as == "map" or not keys or len(keys) > rules.max_struct_fields:
        return MAP
    names = named(keys)
    fields = []
    for key in sorted(keys, key=lambda name: names[name]):
        inner = [content(value)[key] for value in values if key in content(value)]
        fields.append((key, names[key], kind_of(inner, rules)))
    return ("struct", tuple(fields))


def hive(kind: Kind, fmt: str = "parquet") -> str:
    """The catalog's name of a type."""
    if fmt in {"csv", "text"} or (fmt == "json" and kind == ("binary",)):
        return "string"
    if kind[0] == "decimal":
        return f"decimal(38,{kind[1]})"
    if kind[0] == "array":
        return f"array<{hive(kind[1], fmt)}>"
    if kind[0] == "struct":
        return "struct<" + ",".join(f"{name}:{hive(k, fmt)}" for _, name, k in kind[1]) + ">"
    return "map<string,string>" if kind == MAP else str(kind[0])


# --- names ----------------------------------------------------------------------------------------
def folded(name: str) -> str:
    text = re.sub("[^a-z0-9_]", "_", name.lower())[:240]
    return f"_{text}" if text[0].isdigit() else text


def named(names: list[str], *reserved: str) -> dict[str, str]:
    """Plain names for those that need no change, and numbered ones for the others, in order."""
    taken = set(reserved)
    by_name = {}
    for name in [*(n for n in sorted(names) if folded(n) == n), *sorted(names)]:
        if name not in by_name:
            candidate, count = folded(name), 1
            while candidate in taken:
                count += 1
                candidate = f"{folded(name)}_{count}"
            taken.add(candidate)
            by_name[name] = candidate
    return by_name


# --- columns and rows -----------------------------------------------------------------------------
def columns(items: list[Item], rules: Rules) -> list[Column]:
    """The columns, by name."""
    attributes = sorted({name for item in items for name in item})
    names = named(attributes, "snapshot_timestamp", "other_attributes")
    expected_columns = []
    taken = set(names.values())
    for attribute in attributes:
        values = [item[attribute] for item in items if attribute in item]
        families = sorted({FAMILIES[code(value)] for value in values if not is_null(value)})
        if rules.type_conflicts != "columns" or len(families) < 2:
            expected_columns.append(Column(names[attribute], kind_of(values, rules), attribute))
            continue
        for family in families:
            own = [v for v in values if not is_null(v) and FAMILIES[code(v)] == family]
            plain = f"{names[attribute][: 238 - len(family)]}__{family}"
            name, count = plain, 1
            while name in taken:
                count += 1
                name = f"{plain}_{count}"
            taken.add(name)
            expected_columns.append(Column(name, kind_of(own, rules), attribute, family))
    return sorted(expected_columns, key=lambda column: column.name)


def row(item: Item, of: list[Column], fmt: str) -> dict[str, Any]:
    """The item as the view shows it."""
    return {column.name: cell(item.get(column.attribute), column, fmt) for column in of}


def cell(value: Value | None, column: Column, fmt: str) -> Any:
    if value is None or is_null(value) or column.family not in {"", FAMILIES[code(value)]}:
        return "" if fmt == "csv" else None
    if fmt == "text":
        return re.sub(UNHOLDABLE, "\ufffd", as_text(value) or "")
    if fmt == "csv":
        return (as_text(value) or "").replace("\n", "\\n").replace("\r", "\\r")
    return shown(value, column.kind, fmt)


def shown(value: Value | None, kind: Kind, fmt: str) -> Any:  # noqa: PLR0911 - a type each
    """A value of a type, as Python values: maps as sorted pairs."""
    if value is None or is_null(value):
        return None
    if kind == STRING:
        return as_text(value)
    held = content(value)
    if kind[0] == "array":
        return [shown(element, kind[1], fmt) for element in elements(value)]
    if kind[0] == "struct":
        return {name: shown(held.get(key), inner, fmt) for key, name, inner in kind[1]}
    if kind == MAP:
        return sorted((key, as_text(inner)) for key, inner in held.items())
    if kind == ("binary",):
        return b64(held) if fmt == "json" else bytes(held)
    if kind == ("double",):
        return float(held)
    return bool(held) if kind == ("boolean",) else Decimal(held)


# --- what the connector loses ---------------------------------------------------------------------
def through_connector(item: Item) -> Item:
    """The item as Glue's DynamoDB source delivers it; "D" is a double."""
    return {name: lost(value) for name, value in item.items() if not is_null(value)}


def lost(value: Value) -> Value:
    kind, held = code(value), content(value)
    if kind == "N":
        number = Decimal(held)
        whole = "." not in held and "e" not in held.lower() and is_long(number)
        return {"N": str(int(held))} if whole else {"D": json.dumps(float(held))}
    if kind == "B":
        return {"S": b64(held)}
    if kind == "M":
        return {"M": through_connector(held)}
    if kind == "L":
        return {"L": [{"S": element_text(element)} for element in held if not is_null(element)]}
    if kind in {"SS", "NS", "BS"}:
        return {"L": [lost({kind[0]: element}) for element in held]}
    return value


def element_text(value: Value) -> str:
    """An element of a list: the connector makes text of it."""
    found = lost(value)
    if code(found) == "S":
        return str(content(found))
    return json.dumps(plain(found))


def plain(value: Value) -> Any:
    kind, held = code(value), content(value)
    if kind == "L":
        return [plain(element) for element in held]
    if kind == "M":
        return {name: plain(inner) for name, inner in held.items()}
    if kind == "N":
        return int(held)
    return float(held) if kind == "D" else held
