"""The predicate that chooses items (Where)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.failures import ERROR_CLASS, JobFailed, first_line, run_without_values
from dynoexport.jobs.write.rows import convert_items, spark_row_converter, spark_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyspark import RDD
    from pyspark.sql import DataFrame, SparkSession

    from dynoexport.jobs.schema.columns import Column

# The column of a typed row that holds its item.
ITEM = "_item"


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


@contextmanager
def explaining_predicate() -> Iterator[None]:
    """Explain a predicate that fails on a value, possible in ANSI SQL, the default of Glue 6.0.

    Raises:
        JobFailed: it does.
    """
    try:
        yield
    except Exception as error:
        reason = ERROR_CLASS.search(str(error))
        if reason is None:
            raise
        raise JobFailed(f"Where fails on an item: {reason.group()}: change the predicate") from None


def filter_items(
    spark: SparkSession, items: RDD[dict[str, Any]], columns: Sequence[Column], where: str
) -> RDD[dict[str, Any]]:
    """The items for which the predicate is true.

    Spark decides it on a row of the columns' types, beside which the item stays as it is.
    """
    convert = partial(convert_items, convert=partial(row_and_item, columns))
    rows = items.mapPartitions(partial(run_without_values, convert))
    schema = spark_schema(columns).add(ITEM, "string")
    frame = spark.createDataFrame(rows, schema, verifySchema=False)
    chosen = filter_rows(frame, columns, where).select(ITEM)
    return chosen.rdd.map(lambda row: json.loads(row[0]))


def row_and_item(columns: Sequence[Column]) -> Callable[[Any], tuple[Any, ...]]:
    row = spark_row_converter(columns)
    return lambda item: (*row(item), json.dumps(item))
