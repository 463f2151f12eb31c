"""Plain values of every layer: enumerations, and what a result's keys mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class OutputFormat(str, Enum):
    """The file formats a table can be exported to."""

    AVRO = "avro"
    CSV = "csv"
    JSON = "json"
    ORC = "orc"
    PARQUET = "parquet"
    XML = "xml"

    @property
    def queryable(self) -> bool:
        """Whether Athena reads the format, so that a view can be published.

        Source: https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html (no XML SerDe).
        """
        return self is not OutputFormat.XML


class ReadMode(str, Enum):
    """How the export job reads the table (docs/types.md)."""

    CONNECTOR = "connector"
    NATIVE = "native"
    EXPORT = "export"


class Engine(str, Enum):
    """What runs the export job: Glue Spark, or a Python shell job."""

    SPARK = "spark"
    PYTHON = "python"


class MaxCapacity(str, Enum):
    """The DPUs that a Python shell job can have.

    https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html
    """

    SIXTEENTH = "0.0625"
    ONE = "1"


class TypeConflicts(str, Enum):
    """How to write an attribute that has different types in different items."""

    STRING = "string"
    COLUMNS = "columns"


class MapsAs(str, Enum):
    """How to write DynamoDB's maps."""

    STRUCT = "struct"
    MAP = "map"


class CatalogUpdate(str, Enum):
    """What adds a run's snapshot to the Glue Data Catalog: a crawler, or the view job itself."""

    CRAWLER = "crawler"
    DIRECT = "direct"


class Compression(str, Enum):
    """How avro, orc and parquet files are compressed."""

    SNAPPY = "snappy"
    ZSTD = "zstd"
    GZIP = "gzip"


class ScheduleState(str, Enum):
    """Whether the start trigger is active; the values are those of an EventBridge rule."""

    DISABLED = "DISABLED"
    ENABLED = "ENABLED"


class WorkerType(str, Enum):
    """Glue Spark worker types whose task slots AWS publishes."""

    G_1X = "G.1X"
    G_2X = "G.2X"
    G_4X = "G.4X"
    G_8X = "G.8X"


class GlueVersion(str, Enum):
    """Glue versions that the job scripts run on."""

    V2_0 = "2.0"
    V3_0 = "3.0"
    V4_0 = "4.0"
    V5_0 = "5.0"
    V5_1 = "5.1"
    V6_0 = "6.0"


# --- what ``--output json`` prints of a result ----------------------------------------------------
@dataclass(frozen=True)
class Key:
    """What a key of a result means.

    Attributes:
        name: the key, if it is not the attribute's name.
        after: for a property, the attribute that it follows.
    """

    meaning: str
    name: str = ""
    after: str = ""


def described(meaning: str, *, name: str = "") -> dict[str, Key]:
    """The metadata of a field that ``--output json`` prints."""
    return {"key": Key(meaning, name)}


def derived(meaning: str, *, after: str, name: str = "") -> Callable[[_Function], _Function]:
    """Print this property, too. ``@property`` goes above it."""

    def describe(function: _Function) -> _Function:
        function.__dict__["key"] = Key(meaning, name, after)
        return function

    return describe


@dataclass(frozen=True)
class ExportResult:
    """A result about one export."""

    table: str = field(metadata=described("DynamoDB table"))
    format: OutputFormat = field(metadata=described("file format of the export"))
