"""Athena's API in front of Trino, as far as the view job calls it; and one that refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trino.exceptions import TrinoQueryError

if TYPE_CHECKING:
    from trino_server import Trino


class TrinoAthena:
    """Each statement runs in Trino before the call returns."""

    def __init__(self, trino: Trino) -> None:
        self._trino = trino
        self._outcomes: list[dict[str, str]] = []

    def start_query_execution(self, **asked: Any) -> dict[str, str]:
        try:
            self._trino.query(asked["QueryString"], asked["QueryExecutionContext"]["Database"])
        except TrinoQueryError as error:
            reason = f"{error.error_name}: {error.message}"
            self._outcomes.append({"State": "FAILED", "StateChangeReason": reason})
        else:
            self._outcomes.append({"State": "SUCCEEDED"})
        return {"QueryExecutionId": str(len(self._outcomes) - 1)}

    def get_query_execution(self, **asked: str) -> dict[str, Any]:
        return {"QueryExecution": {"Status": self._outcomes[int(asked["QueryExecutionId"])]}}


class RefusingAthena:
    """Every statement fails, as where a workgroup's queue is full or a permission is missing."""

    def start_query_execution(self, **_: Any) -> dict[str, str]:
        return {"QueryExecutionId": "0"}

    def get_query_execution(self, **_: str) -> dict[str, Any]:
        status = {"State": "FAILED", "StateChangeReason": "refused by the test"}
        return {"QueryExecution": {"Status": status}}
