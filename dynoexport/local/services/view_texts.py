"""The text that the catalog keeps of a view: a comment around base64 of JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

CATALOG = "awsdatacatalog"
_VIEW_HEAD, _VIEW_TAIL = "/* Presto View: ", " */"


def view_text(original_sql: str, database: str, columns: list[dict[str, str]]) -> str:
    """A view's ViewOriginalText, as Athena writes it."""
    view = {
        "originalSql": original_sql,
        "catalog": CATALOG,
        "schema": database,
        "columns": columns,
    }
    encoded = base64.b64encode(json.dumps(view).encode()).decode()
    return f"{_VIEW_HEAD}{encoded}{_VIEW_TAIL}"


def view_definition(text: str) -> dict[str, Any]:
    """The view's definition, from what ``view_text`` wrote."""
    encoded = text[len(_VIEW_HEAD) : -len(_VIEW_TAIL)]
    definition: dict[str, Any] = json.loads(base64.b64decode(encoded))
    return definition
