"""The command as a user meets it: a process with exit code, stdout and stderr."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting_lines import without_waiting

from dynoexport import __version__

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dynoexport"
COMMAND = [sys.executable, "-c", "from dynoexport.cli import main; main(prog_name='dynoexport')"]


def dynoexport(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )
    done.stderr = without_waiting(done.stderr)
    return done


def test_version() -> None:
    assert dynoexport("--version").stdout == f"dynoexport, version {__version__}\n"


def test_help_lists_every_command() -> None:
    done = dynoexport("--help")
    assert done.returncode == 0
    for command in ("local", "names", "templates"):
        assert f"  {command}" in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["templates", "--help"], ["names", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """Measured in modules, not in seconds."""
    program = (
        "import sys\n"
        "from dynoexport.cli import main\n"
        f"main({words!r}, prog_name='dynoexport', standalone_mode=False)\n"
        "heavy = {'boto3', 'botocore', 'troposphere', 'awacs', 'rich', 'moto', 'pyspark',\n"
        "         'duckdb', 'pyarrow', 'sqlglot', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    done = dynoexport("tamplates")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'tamplates'" in done.stderr


def test_a_missing_extra_is_reported_in_a_line(tmp_path: Path) -> None:
    """An environment without what ``dynoexport local`` needs: its imports fail."""
    program = (
        "import sys\n"
        "for name in ('moto', 'pyspark', 'duckdb', 'pyarrow', 'sqlglot', 'fastavro'):\n"
        "    sys.modules[name] = None\n"
        "from dynoexport.cli import main\n"
        "main(['local', 'demo'], prog_name='dynoexport')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert "in the clone of dynoexport, run: pip install '.[local]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_text_installs_from_a_registry_that_does_not_have_the_package() -> None:
    """CONTRIBUTING.md says what to replace before the first release."""
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *PACKAGE.rglob("*.py")]
    installs = re.compile(r"pip install (?:-\S+ )*['\"]?dynoexport")
    assert [path for path in texts if installs.search(path.read_text(encoding="utf-8"))] == []


def test_an_interrupt_ends_quietly() -> None:
    """Ctrl-C while it prints more than the pipe holds: exit code 130 and no traceback."""
    tables = [f"Table{number}" for number in range(2_000)]
    # A shell that starts tests in the background has switched the signal off.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen(
        [*COMMAND[:2], listening + COMMAND[2], "names", *tables],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "Table0 as parquet\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.strip()) == (130, "")


# A command of this test alone, which ends as every other one does.
ONE_COMMAND = """
import click, signal
from dynoexport import cli
from dynoexport.cli import common
signal.signal(signal.SIGINT, signal.default_int_handler)
@click.command()
def own():
{body}
cli.Dynoexport.get_command = lambda self, ctx, name: own
cli.main(["own"])
"""


def test_an_interrupt_at_a_question_ends_as_any_other() -> None:
    """Exit code 130, as scripts know it; an answer of no has another one."""
    program = ONE_COMMAND.format(body="    common.confirm('Go on?', yes=False)")
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", program])
    printed = b""
    while b"Go on?" not in printed:
        printed += os.read(terminal, 1000)
    ended, status = 0, 0
    while not ended:
        # Python does not see one that comes just before it waits for a key.
        os.write(terminal, b"\x03")
        time.sleep(0.2)
        ended, status = os.waitpid(process, os.WNOHANG)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130


def test_a_reader_may_stop_reading_a_table() -> None:
    """The reader is head, or a pager that the user quits."""
    body = "    for _ in range(30_000):\n        common.out().print('line')"
    program = ONE_COMMAND.format(body=body)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "line\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


# --- templates -----------------------------------------------------------------------------------
def test_templates_are_written_where_asked(tmp_path: Path) -> None:
    folders = {"templates": tmp_path / "out", "scripts": tmp_path / "jobs"}
    given = ("--output-dir", str(folders["templates"]), "--scripts-dir", str(folders["scripts"]))
    done = dynoexport("templates", *given)
    names = {
        "templates": ("common.yaml", "table.yaml"),
        "scripts": ("create_current_view.py", "export_table.py"),
    }
    paths = [folders[kind] / name for kind in names for name in names[kind]]
    assert done.stdout.splitlines() == [str(path) for path in paths]
    for kind, folder in folders.items():
        for path in folder.iterdir():
            assert path.read_bytes() == (ROOT / kind / path.name).read_bytes()


def test_a_folder_for_templates_alone_gets_nothing_beside_it(tmp_path: Path) -> None:
    """A folder called scripts may be the user's own."""
    dynoexport("templates", "--output-dir", "build", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_templates_and_scripts_may_lie_in_one_folder(tmp_path: Path) -> None:
    dynoexport("templates", "--output-dir", str(tmp_path), "--scripts-dir", str(tmp_path))
    names = ["common.yaml", "create_current_view.py", "export_table.py", "table.yaml"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_templates_in_json_are_json(tmp_path: Path) -> None:
    dynoexport("templates", "--format", "json", cwd=tmp_path)
    written = tmp_path / "templates"
    assert sorted(path.name for path in written.iterdir()) == ["common.json", "table.json"]
    assert json.loads((written / "table.json").read_text())["Resources"]["Workflow"]


def test_check_passes_on_the_repository_and_names_what_it_checked() -> None:
    done = dynoexport("templates", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "templates/common.yaml is up to date",
        "templates/table.yaml is up to date",
        "scripts/create_current_view.py is up to date",
        "scripts/export_table.py is up to date",
    ]


def test_check_without_templates_says_that_they_are_missing(tmp_path: Path) -> None:
    done = dynoexport("templates", "--check", "--output-dir", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "Error: nowhere/common.yaml and nowhere/table.yaml are missing",
        "  write the files without --check, or name their folder with --output-dir",
    ]


def test_check_names_the_file_that_differs_and_changes_nothing(tmp_path: Path) -> None:
    dynoexport("templates", cwd=tmp_path)
    changed = tmp_path / "templates" / "table.yaml"
    changed.write_text(changed.read_text().replace("MaxConcurrentRuns: 1", "MaxConcurrentRuns: 2"))
    before = changed.read_bytes()
    done = dynoexport("templates", "--check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: templates/table.yaml differs from what is generated\n")
    assert "-        MaxConcurrentRuns: 2" in done.stderr
    assert "+        MaxConcurrentRuns: 1" in done.stderr
    assert changed.read_bytes() == before


def test_an_old_glue_version_is_warned_of_on_stderr(tmp_path: Path) -> None:
    done = dynoexport("templates", "--glue-version", "2.0", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: Glue 2.0 reached its end of life on 2026-04-01")
    assert "Warning" not in done.stdout
    assert "Default: '2.0'" in (tmp_path / "templates" / "table.yaml").read_text()


def test_an_unknown_glue_version_is_a_usage_error() -> None:
    assert dynoexport("templates", "--glue-version", "7.0").returncode == 2


# --- names ---------------------------------------------------------------------------------------
def test_names_of_an_export() -> None:
    done = dynoexport("names", "My-Orders.v2", "--format", "csv", "--output", "json")
    (export,) = json.loads(done.stdout)
    assert export["stack"] == "dynoexport-My-Orders-v2-csv-dd41083f"
    assert export["database"] == "dynamodb_exports"
    assert export["names"]["export job"] == "My-Orders.v2ExportTocsv"
    assert export["names"]["view"] == "my_orders_v2"
    assert export["names"]["snapshots table"] == "snapshots_my_orders_v2"
    assert export["locations"]["snapshots"] == (
        "s3://dynamodb-exports-<account>-<region>/csv/My-Orders.v2/"
    )


def test_names_as_text_are_those_of_json() -> None:
    (export,) = json.loads(dynoexport("names", "Reviews", "--output", "json").stdout)
    shown = dynoexport("names", "Reviews").stdout
    for name in (*export["names"].values(), *export["locations"].values(), export["stack"]):
        assert f"  {name}\n" in shown


def test_tables_that_fold_to_one_name_are_refused() -> None:
    done = dynoexport("names", "Orders-eu", "orders.eu")
    assert (done.returncode, done.stdout) == (1, "")
    what, hint = done.stderr.splitlines()
    assert what.startswith("Error: orders.eu (parquet) and Orders-eu (parquet) would both own")
    assert "CatalogPrefix" in hint


def test_a_prefix_keeps_names_apart() -> None:
    done = dynoexport("names", "Reviews", "--catalog-prefix", "a_", "--output", "json")
    assert json.loads(done.stdout)[0]["names"]["view"] == "a_reviews"


@pytest.mark.parametrize("table", ["a", "T" * 250, "no spaces"])
def test_a_name_that_cannot_work_is_refused_before_anything_is_deployed(table: str) -> None:
    done = dynoexport("names", table)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_names_needs_a_table() -> None:
    assert dynoexport("names").returncode == 2


# --- signals -------------------------------------------------------------------------------------
IN_A_DESTRUCTOR = """
import signal, sys, time
from dynoexport import __main__, cli
from dynoexport.cli import common
import click
signal.signal(signal.SIGINT, signal.default_int_handler)
class Thing:
    def __del__(self):
        signal.raise_signal({number})
@click.command()
def own():
    common.unwind_on_signals()
    Thing()
    time.sleep(60)
cli.Dynoexport.get_command = lambda self, ctx, name: own
sys.argv[1:] = ["own"]
__main__.run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_meets_a_destructor_ends_the_command(number: signal.Signals) -> None:
    """Python would print the exception there and go on."""
    program = IN_A_DESTRUCTOR.format(number=number.value)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr.strip()) == (128 + number, "")


def test_an_interrupt_while_modules_load_leaves_no_traceback() -> None:
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Loading:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Loading())\n"
        "from dynoexport import __main__\n"
        "__main__.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
