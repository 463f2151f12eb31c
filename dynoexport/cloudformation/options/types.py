"""How DynamoDB types without an equal column type are written (docs/types.md)."""

from __future__ import annotations

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options import reader
from dynoexport.cloudformation.options.option import Option
from dynoexport.model import MapsAs, TypeConflicts

OPTION = Option(
    group=reader.GROUP,
    fields=(
        form.choice(
            settings.TYPE_CONFLICTS,
            "Attributes of several types",
            "For attributes that have several types. string: one column of text. columns: a column "
            "for each type, such as rating__n and rating__s.",
            choices=TypeConflicts,
            default=settings.DEFAULT_TYPE_CONFLICTS,
        ),
        form.choice(
            settings.MAPS_AS,
            "Maps as",
            "Type of map attributes. struct: a field for each key. map: map<string,string>.",
            choices=MapsAs,
            default=settings.DEFAULT_MAPS_AS,
        ),
        form.number(
            settings.MAX_STRUCT_FIELDS,
            "Most fields of a struct",
            "Most fields of a struct. Maps with more different keys become map<string,string>.",
            least=1,
            most=settings.MAX_STRUCT_FIELDS_MAX,
            default=settings.DEFAULT_MAX_STRUCT_FIELDS,
        ),
    ),
)
