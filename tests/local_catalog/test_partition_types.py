"""A partition whose types differ from the table's is read as by Trino 476, or refused."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trino_statements import plain

from dynoexport.local.services import hive_types, partition_types
from dynoexport.local.services.trino_syntax import QueryFailed

# By the partition's type and the table's: the value below as Trino reads it, or its error.
RECORDED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "trino_partition_types.json").read_text()
)
VALUES: dict[str, Any] = {
    "string": "1",
    "tinyint": 1,
    "smallint": 1,
    "int": 1,
    "bigint": 1,
    "float": 1.5,
    "double": 1.5,
    "boolean": True,
    "decimal(10,2)": Decimal("1.50"),
    "decimal(38,2)": Decimal("1.50"),
    "date": dt.date(2026, 1, 2),
    "timestamp": dt.datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a timestamp has no zone
    "binary": b"1",
    "array<string>": ["1", "x"],
    "array<bigint>": [1],
    "map<string,bigint>": [("a", 1)],
    "map<string,string>": [("a", "1")],
    "struct<a:bigint>": {"a": 1},
    "struct<a:string>": {"a": "x"},
    "struct<a:bigint,b:string>": {"a": 1, "b": "y"},
    "struct<b:bigint>": {"b": 2},
}
PAIRS = [(own, stated) for own, answers in RECORDED.items() for stated in answers]


def read(own: str, stated: str) -> Any:
    """The partition's value as the table's type, or the name of the error."""
    column = {"Name": "c", "Type": stated}
    table = {"DatabaseName": "d", "Name": "t", "StorageDescriptor": {"Columns": [column]}}
    try:
        kind = partition_types.stored(table, "p=1", "c", [{"Name": "c", "Type": own}])
        rows = pa.table({"c": pa.array([VALUES[own]], hive_types.to_arrow(kind))})
        schema = pa.schema([("c", hive_types.to_arrow(stated))])
        (row,) = partition_types.coerced(rows, schema).to_pylist()
    except QueryFailed as error:
        return {"error": str(error).partition(":")[0]}
    value = row["c"]
    return plain(list(value.values()) if isinstance(value, dict) else value)


@pytest.mark.parametrize(("own", "stated"), PAIRS)
def test_partition_of_another_type_is_read_or_refused_as_by_trino(own: str, stated: str) -> None:
    assert read(own, stated) == RECORDED[own][stated]
