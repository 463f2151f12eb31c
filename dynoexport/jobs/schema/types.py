"""Types of columns, elements and fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.formats import TEXT_FORMATS
from dynoexport.jobs.schema.column_names import column_names
from dynoexport.jobs.schema.numbers import DECIMAL_DIGITS
from dynoexport.jobs.schema.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Kinds of types by the catalog's names; UNKNOWN has only nulls and empty lists so far.
STRING, BIGINT, DOUBLE, DECIMAL = "string", "bigint", "double", "decimal"
BOOLEAN, BINARY, ARRAY, STRUCT, MAP, UNKNOWN = (
    "boolean",
    "binary",
    "array",
    "struct",
    "map",
    "unknown",
)
SCALARS = {"s": STRING, "bool": BOOLEAN, "b": BINARY}
# https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
TYPE_NAME_MAX = 131_072


@dataclass(frozen=True)
class Type:
    """The type of a column, an element or a field.

    ``digits`` are the most digits before the point so far; they are not part of the type. A struct
    without fields has only the value ``{}`` so far.
    """

    kind: str
    scale: int = 0
    digits: int = field(default=0, compare=False)
    element: Type | None = None
    fields: tuple[Field, ...] = ()

    @property
    def elements(self) -> Type:
        """The type of an array's elements.

        Raises:
            TypeError: it is not an array.
        """
        if self.element is None:
            raise TypeError(f"{self.kind} has no elements")
        return self.element


@dataclass(frozen=True)
class Field:
    """A field of a struct: the map's own key, and its name in the catalog."""

    attribute: str
    name: str
    type: Type


@dataclass(frozen=True)
class Rules:
    """The settings that decide the types of columns."""

    format: str
    type_conflicts: str
    maps_as: str
    max_struct_fields: int


def infer_type(profile: Profile, rules: Rules) -> Type:
    """The type that holds all values of a profile: see the tables in docs/types.md."""
    groups = profile.groups()
    if len(groups) != 1:
        return Type(STRING if groups else UNKNOWN)
    (group,) = groups
    if group == "n":
        return number_type(profile)
    if group == "l":
        return list_type(profile, rules)
    return struct_type(profile, rules) if group == "m" else Type(SCALARS[group])


def list_type(profile: Profile, rules: Rules) -> Type:
    element = Profile() if profile.element is None else profile.element
    if len(element.groups()) > 1:
        return Type(STRING)
    return Type(ARRAY, element=infer_type(element, rules))


def struct_type(profile: Profile, rules: Rules) -> Type:
    if profile.many or rules.maps_as == MAP:
        return Type(MAP)
    names = column_names(profile.fields)
    fields = (
        Field(attribute, name, infer_type(profile.fields[attribute], rules))
        for attribute, name in names.items()
    )
    return Type(STRUCT, fields=tuple(sorted(fields, key=field_name)))


def number_type(profile: Profile) -> Type:
    if "D" in profile.counts:
        return Type(DOUBLE)
    if "X" not in profile.counts:
        return Type(BIGINT, digits=profile.digits)
    if profile.exact():
        return Type(DECIMAL, scale=profile.scale, digits=profile.digits)
    return Type(STRING)


def inexact_numbers(profile: Profile, path: str) -> Iterator[str]:
    """The paths of numbers that no decimal type holds."""
    if profile.groups() == {"n"} and "X" in profile.counts and not profile.exact():
        yield path
    if profile.element is not None:
        yield from inexact_numbers(profile.element, f"{path}[]")
    for name, inner in sorted(profile.fields.items()):
        yield from inexact_numbers(inner, f"{path}.{name}")


def resolve_unknown(kind: Type) -> Type:
    """The type with a default in place of every unknown part."""
    if kind.kind == UNKNOWN:
        return Type(STRING)
    if kind.kind == ARRAY:
        return replace(kind, element=resolve_unknown(kind.elements))
    if kind.kind == STRUCT:
        if not kind.fields:
            return Type(MAP)
        fields = tuple(
            replace(struct_field, type=resolve_unknown(struct_field.type))
            for struct_field in kind.fields
        )
        return replace(kind, fields=fields)
    return kind


def type_name(kind: Type, fmt: str = "") -> str:
    """The type's name in the catalog, for files of the format.

    In json, binary stays base64. The csv SerDe knows strings only.
    """
    if fmt in TEXT_FORMATS or (fmt == "json" and kind.kind == BINARY):
        return STRING
    if kind.kind == DECIMAL:
        return f"decimal({DECIMAL_DIGITS},{kind.scale})"
    if kind.kind == ARRAY:
        return f"array<{type_name(kind.elements, fmt)}>"
    if kind.kind == STRUCT:
        fields = ",".join(
            f"{struct_field.name}:{type_name(struct_field.type, fmt)}"
            for struct_field in kind.fields
        )
        return f"struct<{fields}>"
    return "map<string,string>" if kind.kind == MAP else kind.kind


def type_shape(kind: Type) -> str | dict[str, Any]:
    """The type for the manifest, with the names that keys have in DynamoDB."""
    if kind.kind == ARRAY:
        return {ARRAY: type_shape(kind.elements)}
    if kind.kind == STRUCT:
        return {
            STRUCT: [
                [struct_field.attribute, struct_field.name, type_shape(struct_field.type)]
                for struct_field in kind.fields
            ]
        }
    return type_name(kind)


def parse_shape(shape: str | Mapping[str, Any]) -> Type:
    """The type of a shape that ``type_shape`` wrote."""
    if not isinstance(shape, str):
        ((kind, inner),) = shape.items()
        if kind == ARRAY:
            return Type(ARRAY, element=parse_shape(inner))
        return Type(
            STRUCT,
            fields=tuple(
                Field(attribute, name, parse_shape(inner_shape))
                for attribute, name, inner_shape in inner
            ),
        )
    decimal = re.match(r"decimal\(\d+,(\d+)\)$", shape)
    if decimal:
        return Type(DECIMAL, scale=int(decimal[1]))
    return Type(MAP if shape.startswith(MAP) else shape)


def widen_type(known: Type, found: Type) -> Type | None:
    """The type that holds both ``known`` and ``found``; None if there is no such type."""
    if found.kind == UNKNOWN or (is_empty_map(found) and known.kind in {STRUCT, MAP}):
        return known
    if known.kind == DECIMAL and found.kind in {BIGINT, DECIMAL}:
        fits = found.scale <= known.scale and found.digits + known.scale <= DECIMAL_DIGITS
        return known if fits else None
    if known.kind != found.kind:
        return None
    if known.kind == ARRAY:
        element = widen_type(known.elements, found.elements)
        return None if element is None else replace(known, element=element)
    return add_fields(known, found.fields) if known.kind == STRUCT else known


def is_empty_map(kind: Type) -> bool:
    return kind.kind == STRUCT and not kind.fields


def add_fields(struct: Type, found: Iterable[Field]) -> Type | None:
    """The struct with the missing fields after its own; None if a field has another type."""
    fields = {struct_field.attribute: struct_field for struct_field in struct.fields}
    new = []
    for struct_field in found:
        known = fields.get(struct_field.attribute)
        if known is None:
            new.append(struct_field)
            continue
        kind = widen_type(known.type, struct_field.type)
        if kind is None:
            return None
        fields[struct_field.attribute] = replace(known, type=kind)
    taken = [struct_field.name for struct_field in fields.values()]
    names = column_names([struct_field.attribute for struct_field in new], reserved=taken)
    more = sorted(
        (replace(struct_field, name=names[struct_field.attribute]) for struct_field in new),
        key=field_name,
    )
    return replace(struct, fields=(*fields.values(), *more))


def field_name(struct_field: Field) -> str:
    return struct_field.name
