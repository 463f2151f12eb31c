"""Hundreds of generated tables against the oracle, without Spark, which is slow."""

from __future__ import annotations

import base64
import csv
import json
from decimal import Decimal
from typing import Any

import expected
import tables
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynoexport.jobs.schema.columns import Column, settle_columns
from dynoexport.jobs.schema.profile import ITEMS, Profile, profile_items
from dynoexport.jobs.schema.types import Rules, Type, type_name
from dynoexport.jobs.write.rows import line_converter, spark_row_converter

RULES = st.tuples(
    st.sampled_from(["string", "columns"]),
    st.sampled_from(["struct", "map"]),
    st.sampled_from([2, 200]),
)


def wire(value: dict[str, Any]) -> dict[str, Any]:
    """A value as the readers leave it: binary as base64."""
    ((code, held),) = value.items()
    if code == "B":
        return {"B": base64.b64encode(held).decode()}
    if code == "BS":
        return {"BS": [base64.b64encode(element).decode() for element in held]}
    if code == "L":
        return {"L": [wire(element) for element in held]}
    if code == "M":
        return {"M": {name: wire(inner) for name, inner in held.items()}}
    return value


def settled(items: list[tables.Item], fmt: str, rules: tuple[str, str, int]) -> tuple[Column, ...]:
    found = dict(profile_items(items, rules[2]))
    found.pop(ITEMS)
    profiles = {name: Profile.load(dumped) for name, dumped in found.items()}
    return settle_columns(profiles, (), Rules(fmt, *rules), others=False)


def shown(value: Any, kind: Type) -> Any:
    """What Spark is given, as the oracle writes it."""
    if value is None:
        return None
    if kind.kind == "array":
        return [shown(element, kind.element) for element in value]
    if kind.kind == "struct":
        return {
            field.name: shown(inner, field.type)
            for field, inner in zip(kind.fields, value, strict=True)
        }
    return sorted(value.items()) if kind.kind == "map" else value


def as_object(value: Any, kind: expected.Kind) -> Any:
    """What the oracle writes as JSON has it: maps are objects, and fields that are null absent."""
    if value is None:
        return None
    if kind == expected.MAP:
        return dict(value)
    if kind[0] == "array":
        return [as_object(element, kind[1]) for element in value]
    if kind[0] == "struct":
        fields = {name: as_object(value[name], inner) for _, name, inner in kind[1]}
        return {name: inner for name, inner in fields.items() if inner is not None}
    return value


@settings(max_examples=examples(300), suppress_health_check=list(HealthCheck))
@given(items=tables.side_by_side(2), rules=RULES)
def test_columns_and_rows_are_those_of_the_oracle(
    items: list[tables.Item], rules: tuple[str, str, int]
) -> None:
    """In Spark's values, in json and in csv, item by item."""
    lines = [{name: wire(value) for name, value in item.items()} for item in items]
    columns = settled(lines, "parquet", rules)
    oracle = expected.columns(items, expected.Rules(*rules))
    assert [(column.name, type_name(column.type)) for column in columns] == [
        (column.name, expected.hive(column.kind)) for column in oracle
    ]
    to_row = spark_row_converter(columns)
    to_json = line_converter(columns, "json")
    to_csv = line_converter(settled(lines, "csv", rules), "csv")
    for item, line in zip(items, lines, strict=True):
        row = {c.name: shown(v, c.type) for c, v in zip(columns, to_row(line), strict=True)}
        assert row == expected.row(item, oracle, "parquet")
        found = json.loads(to_json(line), parse_float=Decimal, parse_int=Decimal)
        objects = expected.row(item, oracle, "json")
        objects = {column.name: as_object(objects[column.name], column.kind) for column in oracle}
        assert found == {name: inner for name, inner in objects.items() if inner is not None}
        (values,) = csv.reader([to_csv(line)], escapechar="\\", strict=True)
        row = dict(zip([c.name for c in columns], values, strict=True))
        assert row == expected.row(item, oracle, "csv")
