"""The schema by which Athena reads every avro file of a table."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Trino reads avro by this parameter before it looks at the columns: by the table's own, else by
# the one of the table's SerDe, else by the one of the partition's:
# https://github.com/trinodb/trino/pull/30599, https://github.com/trinodb/trino/pull/14463
# A crawler keeps it, or writes a file's own schema, which has no defaults. Either is wrong for
# some snapshot: "Unable to find column", "Avro type resolution error". So each time the view job
# publishes, it gives the table a schema that fits all files. Athena's page requires one:
# https://docs.aws.amazon.com/athena/latest/ug/avro-serde.html
# The catalog limits a parameter's length
# (https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html). Without the parameter,
# Athena derives the schema from the columns.
AVRO_LITERAL, PARAMETER_MAX = "avro.schema.literal", 512_000
AVRO_SCALARS = {
    "string": "string",
    "bigint": "long",
    "double": "double",
    "boolean": "boolean",
    "binary": "bytes",
    "map<string,string>": {"type": "map", "values": ["null", "string"]},
}


def avro_type(shape: str | Mapping[str, Any], numbers: Iterator[int]) -> list[Any]:
    """A column's shape in the manifest as an avro type that may be null, at every level.

    ``numbers`` give records their names.
    """
    if not isinstance(shape, str):
        ((kind, inner),) = shape.items()
        if kind == "array":
            return ["null", {"type": "array", "items": avro_type(inner, numbers)}]
        record = {"type": "record", "name": f"record_{next(numbers)}"}
        fields = [avro_field(name, field, numbers) for _, name, field in inner]
        return ["null", {**record, "fields": fields}]
    if shape.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", shape))
        decimal = {"type": "bytes", "logicalType": "decimal"}
        return ["null", {**decimal, "precision": precision, "scale": scale}]
    return ["null", AVRO_SCALARS[shape]]


def avro_field(name: str, shape: str | Mapping[str, Any], numbers: Iterator[int]) -> dict[str, Any]:
    return {"name": name, "type": avro_type(shape, numbers), "default": None}


def avro_literal(manifest: Mapping[str, Any]) -> str:
    """The schema that reads every snapshot; empty if it is too long for the catalog.

    Files of the former design have the attributes' own names: Avro finds them by aliases.
    """
    numbers, fields = itertools.count(), []
    for column in manifest["schema"]:
        name, attribute = column["name"], column["attribute"]
        field = avro_field(name, column.get("shape", column["type"]), numbers)
        if attribute != name == attribute.lower() and re.fullmatch(
            r"[A-Za-z_]\w*", attribute, re.ASCII
        ):
            field["aliases"] = [attribute]
        fields.append(field)
    text = json.dumps({"type": "record", "name": "item", "fields": fields}, separators=(",", ":"))
    return text if len(text) <= PARAMETER_MAX else ""


def without_literal(holder: Mapping[str, Any], right: str) -> dict[str, Any]:
    """The table, partition or SerDe without any avro schema but the right one."""
    parameters = holder.get("Parameters", {})
    if parameters.get(AVRO_LITERAL, right) == right:
        return dict(holder)
    kept = {name: value for name, value in parameters.items() if name != AVRO_LITERAL}
    return {**holder, "Parameters": kept}
