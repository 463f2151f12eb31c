"""DynamicFrames: self-describing records, read again whenever they are needed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from awsglue.context import GlueContext
    from pyspark import RDD
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class DynamicFrame:
    """Records, or the rows of a DataFrame.

    ``records`` makes a new RDD each time. Nothing is kept: a second use reads the source a
    second time and, as in Glue, pays for it a second time.
    """

    glue_ctx: GlueContext
    records: Callable[[], RDD[dict[str, Any]]]
    frame: DataFrame | None = None
    name: str = ""

    @classmethod
    def fromDF(cls, dataframe: DataFrame, glue_ctx: GlueContext, name: str) -> DynamicFrame:  # noqa: N802 - Glue's name
        return cls(
            glue_ctx, lambda: dataframe.rdd.map(lambda row: row.asDict(True)), dataframe, name
        )

    def select_fields(self, paths: Sequence[str]) -> DynamicFrame:
        """Only these attributes."""
        wanted = frozenset(map(_attribute, paths))
        return self._kept(lambda name: name in wanted)

    def drop_fields(self, paths: Sequence[str]) -> DynamicFrame:
        """All but these attributes."""
        unwanted = frozenset(map(_attribute, paths))
        return self._kept(lambda name: name not in unwanted)

    def _kept(self, keep: Callable[[str], bool]) -> DynamicFrame:
        def records() -> RDD[dict[str, Any]]:
            return self.records().map(
                lambda record: {name: record[name] for name in record if keep(name)}
            )

        return DynamicFrame(self.glue_ctx, records, name=self.name)

    def json_lines(self) -> RDD[str]:
        return self.records().map(to_json)

    def toDF(self) -> DataFrame:  # noqa: N802 - Glue's name
        """Infer the schema from all records, then read them: two scans of the source.

        Measured on Glue as 2.02 to 2.05 times the read units
        (https://github.com/awslabs/amazon-dynamodb-tools/issues/81).
        """
        if self.frame is not None:
            return self.frame
        inferred: DataFrame = self.glue_ctx.spark_session.read.json(self.json_lines())
        return inferred

    def count(self) -> int:
        return self.records().count()


def _attribute(path: str) -> str:
    """The attribute that a path names; in backticks a dot is part of the name."""
    if path.startswith("`") and path.endswith("`"):
        return path[1:-1]
    if "." in path:
        raise NotImplementedError(f"the local endpoint selects no nested field: {path}")
    return path


def to_json(record: dict[str, Any]) -> str:
    return json.dumps(record, default=_encode, ensure_ascii=False)


def _encode(value: Any) -> str:
    # boto3 gives binary attributes as Binary objects around bytes.
    content = getattr(value, "value", value)
    if isinstance(content, (bytes, bytearray)):
        return base64.b64encode(content).decode()
    return str(value)
