"""Which attributes and items of the table are exported."""

from __future__ import annotations

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options import reader
from dynoexport.cloudformation.options.option import (
    Option,
    Rule,
    has_value,
    is_none_of,
    is_one_of,
)

# They name no attribute, which must not mean all. cloudformation.selection has the whole rule.
_NOT_COMMAS_ALONE = "(?! *,[ ,]*$)"


def _line(name: str, label: str, description: str, *, but: str = "") -> form.Field:
    """One line; ``but`` is a lookahead at what it must not be."""
    return form.text(
        name,
        label,
        description,
        pattern=rf"^{but}[^\r\n]*$",
        constraint=f"must be one line of at most {settings.SELECTION_MAX} characters"
        + (", and not commas alone" if but else ""),
        default="",
        longest=settings.SELECTION_MAX,
    )


OPTION = Option(
    group=reader.GROUP,
    fields=(
        _line(
            settings.COLUMNS,
            "Only these attributes",
            "DynamoDB's names of the attributes to export, separated by commas. Empty: all.",
            but=_NOT_COMMAS_ALONE,
        ),
        _line(
            settings.EXCLUDE,
            "All but these attributes",
            "DynamoDB's names of the attributes to leave out, separated by commas. Cannot be used "
            "with Columns.",
            but=_NOT_COMMAS_ALONE,
        ),
        _line(
            settings.WHERE,
            "Only items where",
            "Spark SQL predicate that selects items by the columns of the view, such as "
            "rating >= 4. Empty: all items.",
        ),
    ),
    conditions=has_value(settings.COLUMNS, settings.EXCLUDE, settings.WHERE),
    rules=(
        Rule(
            name="OneSelection",
            when=is_none_of(settings.COLUMNS, ""),
            must=(is_one_of(settings.EXCLUDE, ""),),
            reason="Columns and Exclude cannot be used together",
            remedy="leave one of them empty",
            hint="reset one of them: --columns '' or --exclude ''",
        ),
    ),
)
