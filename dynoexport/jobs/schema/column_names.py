"""Names of columns that Athena and every format can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Glue's catalog takes 255 bytes (https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html);
# the rest is room for the number after a name that collides.
COLUMN_NAME_MAX = 240
# As many names of full length as CREATE VIEW may list: a query has at most 262,144 bytes
# (https://docs.aws.amazon.com/athena/latest/ug/service-limits.html).
MAX_COLUMNS = 1_000
OTHER_ATTRIBUTES = "other_attributes"


def fold_column(attribute: str) -> str:
    """The attribute's name as Athena and every format can hold it.

    Lower case, as Athena folds it; Avro allows letters, digits and "_", and no digit first.

    >>> fold_column("2nd Author.Name")
    '_2nd_author_name'
    """
    name = re.sub(r"[^a-z0-9_]", "_", attribute.lower())[:COLUMN_NAME_MAX]
    return name if re.match(r"[a-z_]", name) else f"_{name}"


def free_name(name: str, taken: set[str]) -> str:
    """The name, if necessary with the first number that makes it free; adds it to ``taken``."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def column_names(attributes: Iterable[str], reserved: Iterable[str] = ()) -> dict[str, str]:
    """Columns by attribute. If names collide, the one that needs no folding stays.

    The others get a number in the order of their names, whatever order they come in.

    >>> sorted(column_names(["Rating", "rating", "RATING"]).items())
    [('RATING', 'rating_2'), ('Rating', 'rating_3'), ('rating', 'rating')]
    """
    taken = set(reserved)
    ordered = sorted(
        attributes, key=lambda attribute: (fold_column(attribute) != attribute, attribute)
    )
    return {attribute: free_name(fold_column(attribute), taken) for attribute in ordered}
