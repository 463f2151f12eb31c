"""The settings of the export job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport.jobs.arguments import parse_choice, parse_number
from dynoexport.jobs.attribute_names import parse_attribute_names
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.formats import CODECS, FORMATS
from dynoexport.jobs.limits import (
    DYNAMODB_READ_PERCENT_MAX,
    DYNAMODB_READ_PERCENT_MIN,
    DYNAMODB_SPLITS_MAX,
    GLUE_VERSIONS_WITHOUT_ZSTD,
    NATIVE_READ_PERCENT_MIN,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Arguments of the deployed job. Glue adds its own.
EXPORT_JOB_ARGUMENTS = (
    "TableName",
    "OutputFormat",
    "BucketName",
    "DatabaseName",
    "CatalogPrefix",
    "ScriptsVersion",
    "MaxConsumedReadThroughput",
    "Splits",
    "Engine",
    "WorkerType",
    "NumberOfWorkers",
    "GlueVersion",
    "ReadMode",
    "Columns",
    "Exclude",
    "Where",
    "TypeConflicts",
    "MapsAs",
    "MaxStructFields",
    "Compression",
    "SourceRoleArn",
    "KmsKeyArn",
)
EXPORT_OVERRIDABLE = ("MaxConsumedReadThroughput", "Splits")
READERS = ("connector", "native", "export")
ENGINES = ("spark", "python")
# A struct's type is one text in the catalog. The catalog limits its length.
MAX_STRUCT_FIELDS_MAX = 10_000


@dataclass(frozen=True)
class Settings:
    """The settings of this run; ``splits`` 0 means computed."""

    table: str
    format: str
    bucket: str
    database: str
    catalog_prefix: str
    scripts_version: str
    read_percent: float
    splits: int
    engine: str
    worker_type: str
    number_of_workers: int
    glue_version: str
    reader: str
    columns: tuple[str, ...]
    exclude: tuple[str, ...]
    where: str
    type_conflicts: str
    maps_as: str
    max_struct_fields: int
    compression: str
    source_role: str
    kms_key: str
    job_name: str
    job_run_id: str
    workflow_name: str
    workflow_run_id: str

    @property
    def is_python(self) -> bool:
        """Whether a Python shell job runs it, without Spark."""
        return self.engine == "python"


def check_together(settings: Settings) -> None:
    """Check that the settings can be combined.

    Raises:
        JobFailed: two of them cannot.
    """
    if settings.columns and settings.exclude:
        raise JobFailed("Columns and Exclude are both set: leave one of them empty")
    if settings.is_python and settings.reader == "connector":
        raise JobFailed("Engine python has no ReadMode connector: choose native or export")
    if settings.is_python and settings.where:
        raise JobFailed("Where needs Spark: choose Engine spark, or leave Where empty")
    if settings.source_role and settings.reader == "export":
        raise JobFailed("ReadMode export takes no SourceRoleArn: choose native")
    if settings.compression == "zstd" and settings.format == "avro":
        raise JobFailed("Glue cannot write avro with Compression zstd: choose snappy or gzip")
    if settings.compression == "zstd" and settings.glue_version in GLUE_VERSIONS_WITHOUT_ZSTD:
        raise JobFailed(
            f"Compression zstd needs Glue 4.0 or later, but this job runs on Glue "
            f"{settings.glue_version}: choose snappy or gzip"
        )


def parse_settings(values: Mapping[str, str]) -> Settings:
    """Typed settings.

    Raises:
        JobFailed: one of them is not allowed.
    """
    reader = parse_choice(values, "ReadMode", READERS)
    least = DYNAMODB_READ_PERCENT_MIN if reader == "connector" else NATIVE_READ_PERCENT_MIN
    settings = Settings(
        table=values["TableName"],
        format=parse_choice(values, "OutputFormat", FORMATS),
        bucket=values["BucketName"],
        database=values["DatabaseName"],
        catalog_prefix=values["CatalogPrefix"],
        scripts_version=values["ScriptsVersion"],
        read_percent=parse_number(
            values, "MaxConsumedReadThroughput", least, DYNAMODB_READ_PERCENT_MAX, float
        ),
        splits=int(parse_number(values, "Splits", 0, DYNAMODB_SPLITS_MAX, int)),
        engine=parse_choice(values, "Engine", ENGINES),
        worker_type=values["WorkerType"],
        number_of_workers=int(parse_number(values, "NumberOfWorkers", 2, DYNAMODB_SPLITS_MAX, int)),
        glue_version=values["GlueVersion"],
        reader=reader,
        columns=parse_attribute_names(values, "Columns"),
        exclude=parse_attribute_names(values, "Exclude"),
        where=values["Where"].strip(),
        type_conflicts=parse_choice(values, "TypeConflicts", ("string", "columns")),
        maps_as=parse_choice(values, "MapsAs", ("struct", "map")),
        max_struct_fields=int(
            parse_number(values, "MaxStructFields", 1, MAX_STRUCT_FIELDS_MAX, int)
        ),
        compression=parse_choice(values, "Compression", tuple(CODECS)),
        source_role=values["SourceRoleArn"].strip(),
        kms_key=values["KmsKeyArn"].strip(),
        job_name=values["JOB_NAME"],
        job_run_id=values["JOB_RUN_ID"],
        workflow_name=values["WORKFLOW_NAME"],
        workflow_run_id=values["WORKFLOW_RUN_ID"],
    )
    check_together(settings)
    return settings


def attribute_filter(columns: Iterable[str], exclude: Iterable[str]) -> Callable[[str], bool]:
    """A function that says whether to export an attribute."""
    wanted, unwanted = frozenset(columns), frozenset(exclude)

    def selected(attribute: str) -> bool:
        return attribute not in unwanted and (not wanted or attribute in wanted)

    return selected
