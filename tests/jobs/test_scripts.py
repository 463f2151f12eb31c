"""What holds for both scripts: they fit templates, names, old Pythons and old Sparks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import cfn_flip
import create_current_view
import export_table
import pytest
from job_names import SCRIPTS

from dynoexport import assets, limits, naming
from dynoexport.jobs import formats
from dynoexport.local.glue import processes
from dynoexport.model import OutputFormat, WorkerType

EXPORT = SCRIPTS / naming.EXPORT_SCRIPT
VIEW = SCRIPTS / naming.VIEW_SCRIPT


# --- the templates ----------------------------------------------------------------------------
# Arguments that Glue reads itself:
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
GLUES_OWN = re.compile(r"(--)?([a-z].*|TempDir)")


@pytest.mark.parametrize(
    ("job", "declared"),
    [
        ("ExportJob", export_table.EXPORT_JOB_ARGUMENTS),
        ("ViewJob", create_current_view.VIEW_JOB_ARGUMENTS),
    ],
)
def test_a_script_declares_the_arguments_that_the_template_passes(
    job: str, declared: tuple[str, ...]
) -> None:
    """The two sets are equal: arguments are the only link between template and script."""
    template = cfn_flip.load(assets.template("table.yaml"))[0]
    passed = template["Resources"][job]["Properties"]["DefaultArguments"]
    ours = [name for name in passed if not GLUES_OWN.fullmatch(name)]
    assert sorted(ours) == sorted(f"--{name}" for name in declared)


def test_formats_and_worker_types_are_those_of_the_package() -> None:
    """The job accepts exactly the values that the template accepts."""
    assert set(formats.FORMATS) == {fmt.value for fmt in OutputFormat}
    assert set(formats.BYTES_PER_JSON_BYTE) == set(formats.FORMATS)
    assert set(limits.GLUE_SLOTS) == {kind.value for kind in WorkerType}


# --- old Pythons ------------------------------------------------------------------------------
RUNTIME = sorted(processes.RUNTIME.rglob("*.py"))


@pytest.mark.parametrize("script", [EXPORT, VIEW, *RUNTIME], ids=lambda path: path.stem)
def test_scripts_are_valid_from_python_3_7_on(script: Path) -> None:
    """Glue 3.0 runs Python 3.7. The stand-in for its library must be valid there, too."""
    vermin = Path(sys.executable).with_name("vermin")
    done = subprocess.run(
        [vermin, "--target=3.7-", "--violations", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", ["3.7", "3.9", "3.10", "3.13"])
@pytest.mark.parametrize("script", [EXPORT, VIEW])
def test_scripts_compile_with_each_installed_interpreter(script: Path, version: str) -> None:
    """The interpreters of Glue 2.0 and 3.0, of Python shell, of Glue 4.0 and of Glue 6.0."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} here")
    code = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
    subprocess.run([found[-1], "-W", "error", "-c", code, script], check=True)


# --- old Sparks -------------------------------------------------------------------------------
def test_no_job_hands_arrow_batches_to_spark() -> None:
    """Spark 3.3 of Glue 4.0 refuses structs in structs and lists of structs in them.

    https://github.com/apache/spark/blob/v3.3.0/python/pyspark/sql/pandas/types.py
    The job's own tasks write the files, and where Glue has no usable pyarrow, Spark gets rows.
    """
    called = {
        node.attr
        for node in ast.walk(ast.parse(EXPORT.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert {"createDataFrame", "mapPartitionsWithIndex"} <= called
    assert not {"mapInArrow", "mapInPandas", "applyInPandas", "pandas_udf", "toPandas"} & called


# Every call of pyspark in the scripts, with the Spark version it came with
# (https://spark.apache.org/docs/latest/api/python/reference/: "versionadded"). Glue 2.0 has 2.4.
# All since 1.3.
TYPES = {
    "ArrayType",
    "BinaryType",
    "BooleanType",
    "DecimalType",
    "DoubleType",
    "LongType",
    "MapType",
    "StringType",
    "StructField",
    "StructType",
}
METHODS = {
    # SparkSession, SparkContext, RDD
    "collect": "0.7",
    "createDataFrame": "2.0",
    "defaultParallelism": "0.7",
    "filter": "0.7",
    "get": "1.2",
    "getConf": "2.1",
    "getNumPartitions": "1.1",
    "getOrCreate": "1.4",
    "map": "0.7",
    "mapPartitions": "0.7",
    "mapPartitionsWithIndex": "0.7",
    "parallelize": "0.7",
    "partitionBy": "0.7",
    "read": "2.0",
    "sparkContext": "2.0",
    "sum": "0.7",
    "take": "0.7",
    "takeOrdered": "1.0",
    # DataFrameReader, DataFrameWriter
    "format": "1.4",
    "load": "1.4",
    "mode": "1.4",
    "option": "1.5",
    "save": "1.4",
    "text": "1.6",
    "write": "1.4",
    # DataFrame, Column
    "coalesce": "1.4",
    "columns": "1.3",
    "count": "1.3",
    "rdd": "1.3",
    "select": "1.3",
    "toDF": "1.6",
    "where": "1.3",
    # The JVM's session behind Python's: SessionState.sqlParser, since 2.0.
    "_jsparkSession": "2.0",
    "parseExpression": "2.0",
    "sessionState": "2.0",
    "sqlParser": "2.0",
}
# Variables of the script that hold something of Spark's.
SPARK_VARIABLES = {
    "SparkContext",
    "chosen",
    "contents",
    "dumps",
    "filter_rows",
    "frame",
    "groups",
    "items",
    "lines",
    "merged",
    "numbers",
    "others",
    "rows",
    "segments",
    "spark",
    "texts",
    "wrong",
    "writer",
}
# Glue's own methods, those of Python and Arrow, and those of the script's own values of such names.
NOT_SPARKS = {
    "dialect",
    "drop_fields",
    "drop_null",
    "encode",
    "extend",
    "flatten",
    "items",
    "json_bytes",
    "pieces",
    "report",
    "select_fields",
    "to_pylist",
    "type",
    "uris",
}


def _root(node: ast.expr) -> str:
    """The variable that an expression of attributes and calls starts from."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_scripts_call_only_what_spark_2_4_has() -> None:
    """Every type and method used is on the list above, and all of the list is used."""
    types, methods = set(), set()
    for node in ast.walk(ast.parse(EXPORT.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "pyspark.sql.types":
            types |= {alias.name for alias in node.names}
        if isinstance(node, ast.Attribute):
            root = _root(node)
            if root == "T":
                types.add(node.attr)
            elif root in SPARK_VARIABLES:
                methods.add(node.attr)
    assert types - {"DataType"} == TYPES
    assert methods - NOT_SPARKS == set(METHODS)
    assert all(tuple(map(int, since.split("."))) <= (2, 4) for since in METHODS.values())


def test_the_view_script_needs_no_spark() -> None:
    """Python shell has none."""
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(VIEW.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert not imported & {"pyspark", "awsglue"}


@pytest.mark.parametrize("script", [EXPORT, VIEW])
def test_a_function_fits_on_a_screen(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name
