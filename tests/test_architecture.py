"""The map in ``dynoexport/__init__.py`` is true: every module imports from those before it."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
import pytest

import dynoexport
from dynoexport import limits, settings
from dynoexport.errors import DynoexportError
from dynoexport.model import GlueVersion, OutputFormat, WorkerType
from dynoexport.workflow import pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dynoexport"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
GLUE = botocore.session.get_session().get_service_model("glue")


def layers() -> list[str]:
    """The modules of the map, in its order: the left column of its indented lines."""
    _, _, table = (dynoexport.__doc__ or "").partition("The rooms")
    lines = re.findall(r"^ {4}(\S.*?)(?:  .*)?$", table, re.MULTILINE)
    return [name for line in lines for name in re.split(r",\s*", line) if name]


LAYERS = layers()


def layer(module: str) -> str:
    """``dynoexport.iam.statements`` belongs to ``iam``."""
    return module.split(".")[1] if "." in module else ""


def imports(path: Path) -> set[str]:
    """Everything the file imports, wherever in it, by full name; ``from a import b`` is a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_module_has_its_place_in_the_map() -> None:
    found = {layer(module_name(path)) for path in MODULES} - {"", "__main__"}
    assert found == set(LAYERS)


LAYERED = [path for path in MODULES if layer(module_name(path)) in LAYERS]


@pytest.mark.parametrize("path", LAYERED, ids=module_name)
def test_no_module_imports_upward(path: Path) -> None:
    name = module_name(path)
    own = LAYERS.index(layer(name))
    for imported in imports(path):
        if imported.startswith("dynoexport.") and layer(imported) in LAYERS:
            assert LAYERS.index(layer(imported)) <= own, f"{name} imports {imported}"


def test_importing_the_package_imports_none_of_its_modules() -> None:
    """Every process pays for the import of the package, even if it needs only a constant."""
    listing = "import sys, dynoexport; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", listing], check=True, capture_output=True, text=True, timeout=60
    )
    found = done.stdout.split()
    assert [name for name in found if name.startswith("dynoexport")] == ["dynoexport"]
    assert "boto3" not in found


# --- what a program may use -----------------------------------------------------------------------
@pytest.mark.parametrize("name", dynoexport.__all__)
def test_every_promised_name_exists(name: str) -> None:
    assert callable(getattr(dynoexport, name))


def test_a_type_checker_finds_each_name_where_the_package_does() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    found = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dynoexport.")
        for alias in node.names
    }
    assert found == {
        name: f"dynoexport.{module}"
        for module, names in dynoexport._MODULES.items()  # noqa: SLF001 - what is compared
        for name in names
    }
    assert sorted(found) == dynoexport.__all__


# Those of the endpoint and of the command itself reach no program.
PUBLIC = [
    path
    for path in MODULES
    if layer(module_name(path)) not in {"", "jobs", "local", "cli", "presentation", "__main__"}
]


def public_classes() -> dict[str, type]:
    """The classes of the rooms below the command, by name."""
    classes = {}
    for path in PUBLIC:
        module = importlib.import_module(module_name(path))
        own = (member for member in vars(module).values() if isinstance(member, type))
        classes.update(
            {member.__name__: member for member in own if member.__module__ == module.__name__}
        )
    return {name: kind for name, kind in classes.items() if not name.startswith("_")}


def test_every_error_that_a_program_may_catch_is_public() -> None:
    errors = {name for name, kind in public_classes().items() if issubclass(kind, DynoexportError)}
    # A program that generates templates, and the endpoint's own checks, catch DynoexportError.
    assert errors - set(dynoexport.__all__) <= NOT_OF_OPERATIONS


NOT_OF_OPERATIONS = {"DurationRefused", "TemplateRefused", "TemplatesDiffer"}


def test_types_in_signatures_of_public_functions_are_public() -> None:
    known = set(public_classes())
    for name in dynoexport.__all__:
        function = getattr(dynoexport, name)
        if inspect.isfunction(function):
            words = set(re.findall(r"\w+", " ".join(map(str, function.__annotations__.values()))))
            assert words & known <= set(dynoexport.__all__), name


def test_python_m_runs_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dynoexport", "--version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == f"dynoexport, version {dynoexport.__version__}\n"


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def is_module(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


def documented_names(page: Path) -> set[str]:
    """What the page's code, indented or between backticks, names as ``dynoexport.<name>``."""
    text = page.read_text(encoding="utf-8")
    code = [*re.findall(r"^ {4}.*$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]
    named = re.findall(r"(?<![\w./-])dynoexport\.([A-Za-z_]\w*)", "\n".join(code))
    return {name for name in named if not is_module(name)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_package_has_every_name_that_a_page_uses(page: Path) -> None:
    missing = {name for name in documented_names(page) if not hasattr(dynoexport, name)}
    assert missing == set()


def test_the_docs_name_the_error_that_a_program_catches() -> None:
    assert "DynoexportError" in documented_names(ROOT / "docs" / "command.md")


def test_the_local_endpoint_does_not_know_what_it_runs() -> None:
    """It reads the deployed triggers: agreement with our own description would prove nothing."""
    ours = {"iam", "cloudformation"}
    pure = {"dynoexport.workflow.pipeline", "dynoexport.workflow.graph"}
    for path in (PACKAGE / "local").rglob("*.py"):
        own_imports = {name for name in imports(path) if name.startswith("dynoexport.")}
        assert not {layer(name) for name in own_imports} & ours, module_name(path)
        assert not any(name.startswith(prefix) for name in own_imports for prefix in pure), (
            module_name(path)
        )


# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
GLUE_SHIPS = {"awsglue", "boto3", "botocore", "pyarrow", "pyspark"}
# For annotations only.
GLUE_SHIPS |= {
    f"mypy_boto3_{service}" for service in ("athena", "cloudwatch", "dynamodb", "glue", "s3", "sts")
}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_job_script_stands_alone(path: Path) -> None:
    """Glue runs one file, which may import only what Python or Glue ships."""
    found = {name.split(".")[0] for name in imports(path)}
    assert found - sys.stdlib_module_names - GLUE_SHIPS == set()


def test_there_are_job_scripts() -> None:
    assert [path.name for path in SCRIPTS] == ["create_current_view.py", "export_table.py"]


# --- what runs inside Glue ------------------------------------------------------------------------
JOBS = [path for path in MODULES if path.is_relative_to(PACKAGE / "jobs")]


@pytest.mark.parametrize("path", JOBS, ids=module_name)
def test_a_module_of_the_jobs_imports_what_glue_ships_and_other_jobs(path: Path) -> None:
    for name in imports(path):
        if name.partition(".")[0] == "dynoexport":
            assert layer(name) == "jobs", f"{module_name(path)} imports {name}"
        else:
            assert name.partition(".")[0] in sys.stdlib_module_names | GLUE_SHIPS


@pytest.mark.parametrize("path", JOBS, ids=module_name)
def test_a_module_of_the_jobs_has_one_subject(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def room(module: str) -> str:
    """``dynoexport.jobs.scan.task`` lies in ``scan``; a module without a folder is its own room."""
    return module.split(".")[2]


@pytest.mark.parametrize("floor", ["jobs", "local"])
def test_the_rooms_inside_a_room_import_downward_only(floor: str) -> None:
    """No room imports one above it."""
    graph: dict[str, set[str]] = {}
    for path in (PACKAGE / floor).rglob("*.py"):
        name = module_name(path)
        if name.count(".") >= 2:
            inside = f"dynoexport.{floor}."
            rooms = {room(imported) for imported in imports(path) if imported.startswith(inside)}
            graph.setdefault(room(name), set()).update(rooms - {room(name)})
    list(TopologicalSorter(graph).static_order())


def test_a_newcomer_can_keep_the_rooms_in_mind() -> None:
    # The stand-in for Glue's own library has that library's layout, and nothing here imports it.
    rooms = {path.parent for path in MODULES} - {PACKAGE / "local" / "runtime" / "awsglue"}
    assert len(rooms) <= 22
    assert len(list(PACKAGE.glob("*.py"))) <= 9


def test_no_modules_import_each_other() -> None:
    """This includes imports inside functions and for annotations."""
    names = {module_name(path): path for path in MODULES}
    graph = {
        name: {
            imported for imported in importable(path, names) if not name.startswith(f"{imported}.")
        }
        - {name}
        for name, path in names.items()
    }
    list(TopologicalSorter(graph).static_order())


def importable(path: Path, names: Mapping[str, Path]) -> set[str]:
    """The project's modules that the file imports."""
    found = imports(path)
    return {*found, *(name.rpartition(".")[0] for name in found)} & names.keys()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


# Glue's own library has such a module, and the stand-in has its names.
OURS = [path for path in MODULES if path.parent.name != "awsglue"]


@pytest.mark.parametrize("path", [*OURS, *SCRIPTS], ids=lambda path: path.name)
def test_no_module_has_a_name_without_a_subject(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "misc", "base"}


# --- AWS's lists ----------------------------------------------------------------------------------
def enum(shape: str) -> set[str]:
    return set(GLUE.shape_for(shape).enum)


def test_worker_types_exist() -> None:
    assert {worker.value for worker in WorkerType} <= enum("WorkerType")


def test_trigger_types_are_those_of_glue() -> None:
    assert set(pipeline.TRIGGER_TYPES) == enum("TriggerType")


def test_states_that_triggers_listen_for_exist() -> None:
    assert set(pipeline.JOB_STATES) <= enum("JobRunState")
    assert set(pipeline.CRAWL_STATES) <= enum("CrawlState")
    assert enum("LogicalOperator") == {pipeline.EQUALS}


def test_glue_versions_have_the_form_that_glue_takes() -> None:
    pattern = GLUE.shape_for("GlueVersionString").metadata["pattern"]
    assert all(re.fullmatch(pattern, version.value) for version in GlueVersion)
    assert set(limits.GLUE_END_OF_LIFE) <= {version.value for version in GlueVersion}


def test_the_default_glue_version_has_not_ended() -> None:
    assert settings.DEFAULT_GLUE_VERSION.value not in limits.GLUE_END_OF_LIFE


def test_every_format_is_known() -> None:
    """The baseline's six; a new one needs its own words in many places."""
    assert {fmt.value for fmt in OutputFormat} == {"avro", "csv", "json", "orc", "parquet", "xml"}


def test_names_are_limited_as_glues_model_says() -> None:
    assert GLUE.shape_for("NameString").metadata["max"] == limits.GLUE_NAME_MAX


# --- settings -------------------------------------------------------------------------------------
def test_no_setting_is_a_prefix_of_another() -> None:
    """Glue up to 5.1 takes a prefix of an argument's name for the name."""
    names = {*settings.EXPORT_JOB_ARGUMENTS, *settings.VIEW_JOB_ARGUMENTS}
    names |= {*settings.RUN_PROPERTIES, settings.SNAPSHOT_TIMESTAMP}
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]


def test_what_a_run_may_override_is_among_its_properties() -> None:
    assert set(settings.OVERRIDABLE_RUN_PROPERTIES) <= set(settings.RUN_PROPERTIES)
