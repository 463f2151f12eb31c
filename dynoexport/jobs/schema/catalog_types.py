"""Types as the catalog declares them."""

from __future__ import annotations

from dynoexport.jobs.schema.types import (
    ARRAY,
    BIGINT,
    BINARY,
    BOOLEAN,
    DOUBLE,
    MAP,
    STRING,
    STRUCT,
    Field,
    Type,
    parse_shape,
)

# Numbers as a crawler, Glue's own writers or a person may have declared them.
CATALOG_SCALARS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), BIGINT),
    **dict.fromkeys(("float", "double"), DOUBLE),
    **{kind: kind for kind in (STRING, BOOLEAN, BINARY)},
    "map<string,string>": MAP,
}


def parse_catalog_type(name: str) -> Type:
    """The type of a column in the catalog; a field's key in DynamoDB is assumed to be its name.

    Raises:
        ValueError: no export writes this type.
    """
    inner = name.partition("<")[2][:-1]
    if name in CATALOG_SCALARS:
        return Type(CATALOG_SCALARS[name])
    if name.startswith("decimal("):
        return parse_shape(name.replace(" ", ""))
    if name.startswith("array<"):
        return Type(ARRAY, element=parse_catalog_type(inner))
    if name.startswith("struct<"):
        pairs = [part.partition(":") for part in split_fields(inner)]
        return Type(
            STRUCT,
            fields=tuple(Field(key, key, parse_catalog_type(kind)) for key, _, kind in pairs),
        )
    raise ValueError(name)


def split_fields(inner: str) -> list[str]:
    """The parts between commas, except commas within brackets."""
    parts, depth = [""], 0
    for character in inner:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
