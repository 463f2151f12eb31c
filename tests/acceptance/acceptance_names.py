"""Names of one acceptance run. They allow its removal whatever happened to it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from dynoexport import naming, settings
from dynoexport.model import Engine, GlueVersion, OutputFormat, ReadMode

# Of DynamoDB tables that this program has created; it deletes no other ones.
TAG = "dynoexport:acceptance"
START = "dynoexport-acceptance-"
_TABLE = re.compile(rf"{START}[0-9a-f]{{8}}-[a-z0-9]+")
# A table of that name says that this run has created the common stack.
COMMON = "common"


def new_run() -> str:
    """A random name for a run."""
    return secrets.token_hex(4)


def table(run: str, case: str) -> str:
    return f"{START}{run}-{case}"


def is_own(name: str) -> bool:
    """Whether a table has the name of an acceptance run's table."""
    return _TABLE.fullmatch(name) is not None


def is_own_in_catalog(name: str) -> bool:
    """Whether a catalog table or view belongs to such a table."""
    plain = name.removeprefix(naming.SNAPSHOTS_PREFIX)
    return is_own(plain.replace("_", "-"))


def is_own_key(key: str) -> bool:
    """Whether an object belongs to such a table, or is a run's own script."""
    script = re.match(f"{naming.SCRIPTS_PREFIX}{scripts_version('[0-9a-f]{8}')}/", key)
    return script is not None or any(map(is_own, key.split("/")))


def is_mark_of_common(name: str) -> bool:
    """Whether a table says that its run has created the common stack."""
    return is_own(name) and name.endswith(f"-{COMMON}")


def scripts_version(run: str) -> str:
    """The folder of the run's own job scripts."""
    return f"acceptance-{run}"


@dataclass(frozen=True)
class Case:
    """One export of the matrix."""

    name: str
    format: OutputFormat
    reader: ReadMode
    glue_version: GlueVersion
    engine: Engine = settings.DEFAULT_ENGINE

    @property
    def is_python(self) -> bool:
        """Without Spark and, beside that, without a crawler."""
        return self.engine is Engine.PYTHON

    def __str__(self) -> str:
        runs_on = "Python shell" if self.is_python else f"Glue {self.glue_version.value}"
        return f"{self.format.value}, {self.reader.value} reader, {runs_on}"


# Each format once, and each reader and each Glue version that AWS still runs at least once.
CASES = (
    Case("parquet", OutputFormat.PARQUET, ReadMode.NATIVE, GlueVersion.V5_1),
    Case("orc", OutputFormat.ORC, ReadMode.EXPORT, GlueVersion.V5_0),
    Case("csv", OutputFormat.CSV, ReadMode.NATIVE, GlueVersion.V4_0),
    Case("json", OutputFormat.JSON, ReadMode.EXPORT, GlueVersion.V6_0),
    Case("avro", OutputFormat.AVRO, ReadMode.NATIVE, GlueVersion.V3_0),
    Case("xml", OutputFormat.XML, ReadMode.NATIVE, GlueVersion.V5_1),
    Case("connector", OutputFormat.PARQUET, ReadMode.CONNECTOR, GlueVersion.V5_1),
    Case("python", OutputFormat.PARQUET, ReadMode.NATIVE, GlueVersion.V5_1, Engine.PYTHON),
)
# Its first attempt fails. Later its table is deleted.
RETRIED = Case("retried", OutputFormat.PARQUET, ReadMode.NATIVE, GlueVersion.V5_1)
# How many more runs the steps after the matrix start.
FURTHER_RUNS = 3
