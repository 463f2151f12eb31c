"""The keys of items that DynamoDB accepts.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html has the lengths.
The texts of the errors are those of dynalite, which has them from AWS.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MISMATCH = "The provided key element does not match the schema"
INVALID_START = "The provided starting key is invalid"
OUTSIDE_QUERY = "The provided starting key is outside query boundaries based on provided conditions"
DUPLICATES = "Provided list of item keys contains duplicates"

_EMPTY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
    "contain an empty {} value. Key: {}"
)
_TOO_LONG = "One or more parameter values were invalid: "
_LONG_HASH = f"{_TOO_LONG}Size of hashkey has exceeded the maximum size limit of2048 bytes"
_LONG_RANGE = (
    f"{_TOO_LONG}Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
)
_NAMES = {"S": "string", "B": "binary"}


def extract_key(item: Mapping[str, Any], schema: Mapping[str, str]) -> dict[str, Any]:
    """The attributes of the item that are its key."""
    return {name: item[name] for name in schema if name in item}


def fault(key: Mapping[str, Any], schema: Mapping[str, str]) -> str | None:
    """Why the table refuses the key; ``schema`` has the types, the partition key's first."""
    if not fits(key, schema):
        return MISMATCH
    limits = ((2048, _LONG_HASH), (1024, _LONG_RANGE))
    for (name, code), (limit, too_long) in zip(schema.items(), limits, strict=False):
        if code == "N":
            continue
        length = byte_length(code, key[name][code])
        if length == 0:
            return _EMPTY.format(_NAMES[code], name)
        if length > limit:
            return too_long
    return None


def start_fault(
    key: Mapping[str, Any], schema: Mapping[str, str], operation: str, index: str | None
) -> str | None:
    """Why DynamoDB refuses the key as the start of a page of Scan or Query."""
    prefix = f"{INVALID_START}: " if operation == "Scan" and index is None else ""
    if set(key) != set(schema):
        return f"{prefix}{MISMATCH}" if prefix else INVALID_START
    reason = fault(key, schema)
    return reason and f"{prefix}{reason}"


def fits(key: Mapping[str, Any], schema: Mapping[str, str]) -> bool:
    """Whether the key has the attributes of the schema, each of its type."""
    return set(key) == set(schema) and all(code in key[name] for name, code in schema.items())


def byte_length(code: str, content: Any) -> int:
    """Length of a string or of a binary value, which may still be base64."""
    if isinstance(content, bytes):
        return len(content)
    return len(base64.b64decode(content)) if code == "B" else len(content.encode())
