"""Checks that DynamoDB makes before it looks at a table.

The API's model, from which every SDK is made, has the limits of lengths and integers, and the
places of attribute values in a request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dynoexport.local.services import attribute_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

# AWS's message does not mention the start key:
# https://github.com/architect/dynalite/blob/main/validations/scan.js
_OF_VALUES = re.compile(
    "contains duplicates|number set|numeric value|significant digits|number with magnitude"
)

# dynalite has it from AWS, however odd: validations/batchWriteItem.js
NO_WRITE = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
    "supported datatypes"
)


class Refused(Exception):
    """DynamoDB answers with a ValidationException; the message is AWS's."""


class Malformed(Exception):
    """DynamoDB answers with a SerializationException; the message is AWS's."""


_TYPES: dict[str, tuple[type, str]] = {
    "structure": (dict, "Map"),
    "map": (dict, "Map"),
    "list": (list, "List"),
    "string": (str, "String"),
    "integer": (int, "Integer"),
}


def check(shape: Shape, request: Mapping[str, Any]) -> Any:
    """The request with every value in its normal form.

    Raises:
        Malformed: a value in the request is of another JSON type.
        Refused: it breaks a limit of the model, or has a value that DynamoDB refuses.
    """
    _check_types(shape, request)
    broken = list(_broken_limits(shape, request, ""))
    if broken:
        errors = f"validation error{'s' if len(broken) > 1 else ''}"
        raise Refused(f"{len(broken)} {errors} detected: {'; '.join(broken)}")
    return _normalize(shape, request, ())


def _check_types(shape: Any, value: Any) -> None:
    wanted, name = _TYPES.get(shape.type_name, (None, ""))
    if wanted is not None and not isinstance(value, wanted):
        raise Malformed(_explain_type(value, wanted, name))
    if shape.type_name == "structure":
        for member in value.keys() & shape.members.keys():
            _check_types(shape.members[member], value[member])
    elif shape.type_name in ("list", "map"):
        is_list = shape.type_name == "list"
        for element in value if is_list else value.values():
            _check_types(shape.member if is_list else shape.value, element)


def _explain_type(value: Any, wanted: type, name: str) -> str:
    if isinstance(value, dict):
        return "Start of structure or map found where not expected"
    if isinstance(value, list):
        return f"Unrecognized collection type class java.lang.{name}"
    if wanted in (dict, list):
        return "Unexpected field type"
    return f"{'STRING' if isinstance(value, str) else 'NUMBER'}_VALUE cannot be converted to {name}"


def _normalize(shape: Any, value: Any, place: tuple[str, ...]) -> Any:
    if shape.name == "AttributeValue":
        try:
            return attribute_values.normalize(value)
        except attribute_values.InvalidValue as error:
            raise Refused(_explain(str(error), place)) from error
    if shape.type_name == "structure":
        members = shape.members
        return {
            name: _normalize(members[name], member, (*place, name)) if name in members else member
            for name, member in value.items()
        }
    if shape.type_name == "map":
        return {
            key: _normalize(shape.value, element, (*place, key)) for key, element in value.items()
        }
    if shape.type_name == "list":
        return [_normalize(shape.member, element, place) for element in value]
    return value


def _explain(error: str, place: tuple[str, ...]) -> str:
    if "ExpressionAttributeValues" in place[-2:]:
        return f"ExpressionAttributeValues contains invalid value: {error} for key {place[-1]}"
    if "ExclusiveStartKey" in place[:1] and not _OF_VALUES.search(error):
        return f"The provided starting key is invalid: {error}"
    return error


def _broken_limits(shape: Any, value: Any, place: str) -> Iterator[str]:
    """Each limit that the value breaks, as AWS words it."""
    if shape.name == "AttributeValue":
        return
    shown = f" '{value}'" if isinstance(value, int | str) else ""
    for rule in _broken_rules(shape, value):
        yield f"Value{shown} at '{place}' failed to satisfy constraint: {rule}"
    if shape.type_name == "structure":
        yield from _broken_in_structure(shape, value, place)
    elif shape.type_name == "list":
        for number, element in enumerate(value, start=1):
            yield from _broken_limits(shape.member, element, f"{place}.{number}.member")
    elif shape.type_name == "map":
        yield from _broken_in_map(shape, value, place)


def _broken_in_structure(shape: Any, value: Mapping[str, Any], place: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = f"{place}.{_lower_first(name)}".lstrip(".")
        if name in value:
            yield from _broken_limits(member, value[name], inner)
        elif name in shape.required_members:
            yield f"Value null at '{inner}' failed to satisfy constraint: Member must not be null"


def _broken_in_map(shape: Any, value: Mapping[str, Any], place: str) -> Iterator[str]:
    if any(_broken_rules(shape.value, element) for element in value.values()):
        rules = ", ".join(rule for rule, _ in _rules(shape.value))
        failed = "failed to satisfy constraint: Map value must satisfy constraint"
        yield f"Value at '{place}' {failed}: [{rules}]"
        return
    for key, element in value.items():
        yield from _broken_limits(shape.value, element, f"{place}.{key}.member")


def _broken_rules(shape: Any, value: Any) -> list[str]:
    measured = value if isinstance(value, int) else len(value)
    return [rule for rule, (least, most) in _rules(shape) if not least <= measured <= most]


def _rules(shape: Any) -> Iterator[tuple[str, tuple[float, float]]]:
    """Each limit of the shape, in words and as minimum and maximum."""
    what = "value" if shape.type_name in ("integer", "long") else "length"
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if most is not None:
        yield f"Member must have {what} less than or equal to {most}", (-float("inf"), most)
    if least is not None:
        yield f"Member must have {what} greater than or equal to {least}", (least, float("inf"))


def _lower_first(name: str) -> str:
    return name[0].lower() + name[1:]
