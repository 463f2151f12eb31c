"""The predicate that chooses items (Where)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport.jobs.failures import ERROR_CLASS, JobFailed, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession

    from dynoexport.jobs.schema.columns import Column


def check_predicate(spark: SparkSession, where: str) -> None:
    """Check the predicate's syntax before anything is read.

    Raises:
        JobFailed: Spark cannot parse it.
    """
    if not where:
        return
    try:
        # PySpark has no public function for the parser alone.
        spark._jsparkSession.sessionState().sqlParser().parseExpression(where)  # noqa: SLF001
    except Exception as error:  # noqa: BLE001 - each version of Spark has its own
        raise JobFailed(f"Where is not a Spark SQL predicate: {first_line(error)}") from None


def filter_rows(rows: DataFrame, columns: Sequence[Column], where: str) -> DataFrame:
    """The rows for which the predicate is true; it uses the view's column names.

    Raises:
        JobFailed: it names a column that does not exist, or is not a predicate.
    """
    names = [
        column.view if column.shown else f"_former_{position}"
        for position, column in enumerate(columns)
    ]
    further = rows.columns[len(columns) :]
    try:
        return rows.toDF(*names, *further).where(where).toDF(*rows.columns)
    except Exception as error:  # noqa: BLE001 - each version of Spark has its own
        raise JobFailed(f"Where cannot be applied: {first_line(error)}") from None


def count_matching(rows: RDD[str] | DataFrame) -> int:
    """How many rows match the predicate.

    Raises:
        JobFailed: it fails on a value, which is possible in ANSI SQL, the default of Glue 6.0.
    """
    try:
        return rows.count()
    except Exception as error:
        reason = ERROR_CLASS.search(str(error))
        if reason is None:
            raise
        raise JobFailed(f"Where fails on an item: {reason.group()}: change the predicate") from None
