"""What people read is in plain words: banned_phrases.yaml has what is not, and what to write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest
import yaml
from click.testing import CliRunner

from dynoexport.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PHRASES = Path(__file__).with_name("banned_phrases.yaml")
FOLDERS = ("", "benchmarks", "docs", "dynoexport", "tests")
# scripts/ and templates/ are built from dynoexport/.
KINDS = {".cfg", ".go", ".html", ".java", ".js", ".md", ".py", ".toml"}
# This folder quotes what it refuses.
SKIPPED = {".venv", "node_modules", "__pycache__", "language"}

# Delete an entry as soon as its file is clean. This list shall become empty.
NOT_YET_CLEAN = frozenset(
    {
        # the root
        "CHANGELOG.md",
        # benchmarks
        "benchmarks/README.md",
        "benchmarks/cdk/common.js",
        "benchmarks/cdk/form.js",
        "benchmarks/cdk/table.js",
        "benchmarks/demo.py",
        "benchmarks/planning.py",
        "benchmarks/reader.py",
        # docs
        "docs/benchmarks.md",
        "docs/parameters.md",
        "docs/permissions.md",
        "docs/plan.md",
        "docs/reading.md",
        "docs/reliability.md",
        "docs/security.md",
        # `doctor` prints it.
        "docs/tour.md",
        "docs/types.md",
        # dynoexport/aws
        "dynoexport/aws/account.py",
        "dynoexport/aws/athena.py",
        "dynoexport/aws/change_sets.py",
        "dynoexport/aws/exports.py",
        "dynoexport/aws/workflow_runs.py",
        # dynoexport/cli
        "dynoexport/cli/__init__.py",
        "dynoexport/cli/common.py",
        "dynoexport/cli/deploy.py",
        "dynoexport/cli/doctor.py",
        "dynoexport/cli/plan.py",
        "dynoexport/cli/query.py",
        "dynoexport/cli/run.py",
        "dynoexport/cli/snapshots.py",
        "dynoexport/cli/status.py",
        # dynoexport/cloudformation
        "dynoexport/cloudformation/common.py",
        "dynoexport/cloudformation/options/alarms.py",
        "dynoexport/cloudformation/options/kms.py",
        "dynoexport/cloudformation/options/read_limit.py",
        "dynoexport/cloudformation/options/schedule.py",
        "dynoexport/cloudformation/parameters.py",
        "dynoexport/cloudformation/render.py",
        # dynoexport/iam
        "dynoexport/iam/caller_policies.py",
        "dynoexport/iam/reasons.py",
        "dynoexport/iam/statements.py",
        # dynoexport/jobs
        "dynoexport/jobs/arguments.py",
        "dynoexport/jobs/export.py",
        "dynoexport/jobs/history.py",
        "dynoexport/jobs/manifest.py",
        "dynoexport/jobs/readers/point_in_time.py",
        "dynoexport/jobs/readers/refusals.py",
        "dynoexport/jobs/scan/buffer.py",
        "dynoexport/jobs/scan/decode.py",
        "dynoexport/jobs/scan/segments.py",
        "dynoexport/jobs/schema/columns.py",
        "dynoexport/jobs/schema/types.py",
        "dynoexport/jobs/settings.py",
        "dynoexport/jobs/write/counts.py",
        # dynoexport/operations
        "dynoexport/operations/alarms.py",
        "dynoexport/operations/deploy.py",
        "dynoexport/operations/doctor.py",
        "dynoexport/operations/facts.py",
        "dynoexport/operations/logs.py",
        "dynoexport/operations/plan.py",
        "dynoexport/operations/query.py",
        "dynoexport/operations/run.py",
        "dynoexport/operations/status.py",
        "dynoexport/operations/targets.py",
        "dynoexport/operations/verify.py",
        # dynoexport/planning
        "dynoexport/planning/actuals.py",
        "dynoexport/planning/alternatives.py",
        "dynoexport/planning/consumption.py",
        "dynoexport/planning/sizing.py",
        "dynoexport/planning/table_facts.py",
        # dynoexport/presentation
        "dynoexport/presentation/charts.py",
        "dynoexport/presentation/display.py",
        "dynoexport/presentation/output_files.py",
        "dynoexport/presentation/plan.html",
        "dynoexport/presentation/plan_html.py",
        "dynoexport/presentation/plan_text.py",
        # dynoexport
        "dynoexport/settings.py",
        # dynoexport/storage
        "dynoexport/storage/manifests.py",
        # dynoexport/workflow
        "dynoexport/workflow/graph.py",
        # tests/engines
        "tests/engines/test_emr_connector.py",
        "tests/engines/test_glue_versions.py",
        "tests/engines/test_s3a.py",
        # tests/faults
        "tests/faults/harness.py",
        "tests/faults/outcome_report.py",
        "tests/faults/proxy.py",
        "tests/faults/schedules.py",
        "tests/faults/stage.py",
        "tests/faults/test_report.py",
        "tests/faults/test_schedules.py",
        # tests/functional
        "tests/functional/command.py",
        "tests/functional/roles.py",
        "tests/functional/test_alarms_told.py",
        "tests/functional/test_callers.py",
        "tests/functional/test_command.py",
        "tests/functional/test_command_errors.py",
        "tests/functional/test_command_plan.py",
        "tests/functional/test_command_snapshots.py",
        "tests/functional/test_command_story.py",
        "tests/functional/test_export.py",
        "tests/functional/test_security.py",
        # tests/hostile
        "tests/hostile/parsers.py",
        # tests/jobs
        "tests/jobs/job_names.py",
        "tests/jobs/scan/test_scan.py",
        "tests/jobs/schema/test_types.py",
        "tests/jobs/test_export_run.py",
        "tests/jobs/test_export_spark.py",
        "tests/jobs/test_publish.py",
        "tests/jobs/write/test_text.py",
        # tests
        # tests/types
        "tests/types/lake.py",
        "tests/types/test_batches.py",
        "tests/types/test_drift.py",
        "tests/types/test_every_type.py",
        "tests/types/test_rows.py",
        # tests/unit
        "tests/unit/test_actuals.py",
        "tests/unit/test_alarms.py",
        "tests/unit/test_alternatives.py",
        "tests/unit/test_aws_errors.py",
        "tests/unit/test_change_sets.py",
        "tests/unit/test_charts.py",
        "tests/unit/test_cli.py",
        "tests/unit/test_cli_plan.py",
        "tests/unit/test_consumption.py",
        "tests/unit/test_exports.py",
        "tests/unit/test_graph.py",
        "tests/unit/test_items.py",
        "tests/unit/test_parameter_checks.py",
        "tests/unit/test_part_files.py",
        "tests/unit/test_plan.py",
        "tests/unit/test_plan_html.py",
        "tests/unit/test_plan_page.py",
        "tests/unit/test_policies.py",
        "tests/unit/test_prices.py",
        "tests/unit/test_queries.py",
        "tests/unit/test_records.py",
        "tests/unit/test_sizing.py",
        "tests/unit/test_snapshot_store.py",
        "tests/unit/test_table_facts.py",
        "tests/unit/test_table_stack.py",
        "tests/unit/test_views.py",
        "tests/unit/test_workflow_runs.py",
        # help texts
        "dynoexport --help",
        "dynoexport deploy --help",
        "dynoexport destroy --help",
        "dynoexport disable --help",
        "dynoexport doctor --help",
        "dynoexport enable --help",
        "dynoexport init --help",
        "dynoexport logs --help",
        "dynoexport plan --help",
        "dynoexport prune --help",
        "dynoexport publish --help",
        "dynoexport query --help",
        "dynoexport run --help",
        "dynoexport runs --help",
        "dynoexport snapshots --help",
        "dynoexport status --help",
        "dynoexport stop --help",
        "dynoexport verify --help",
        "dynoexport watch --help",
    }
)


class Phrase(NamedTuple):
    """A phrase that a text must not have, and what to write."""

    pattern: re.Pattern[str]
    write: str


def phrases() -> list[Phrase]:
    entries = yaml.safe_load(PHRASES.read_text(encoding="utf-8"))
    return [
        Phrase(re.compile(entry["phrase"].replace(" ", r"\s"), re.IGNORECASE), entry["write"])
        for entry in entries
    ]


def join_lines(text: str) -> str:
    """Each line break with its comment sign, quotes and indentation as one character."""
    return re.sub(r"""[ \t]*["']?[ \t]*\n[ \t]*(?:(?:\#|//|\*|>|f?["'])[ \t]*)*""", "\n", text)


def find_phrases(name: str, text: str) -> list[str]:
    """A line for each banned phrase: where it stands, and what to write."""
    joined = join_lines(text)
    return [
        f'{name}:{joined.count(chr(10), 0, match.start()) + 1}: "{match[0]}": write {phrase.write}'
        for phrase in PATTERNS
        for match in phrase.pattern.finditer(joined)
    ]


def files(folder: str) -> Iterator[Path]:
    top = ROOT / folder
    for path in sorted(top.rglob("*") if folder else top.glob("*")):
        skipped = SKIPPED & set(path.relative_to(ROOT).parts)
        if path.is_file() and not skipped and (path.suffix in KINDS or path.name == "Makefile"):
            yield path


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, the groups' among them."""
    yield words
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*words, name))


PATTERNS = phrases()
COMMANDS = list(commands(main))


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_have_no_banned_phrase(folder: str) -> None:
    found = [
        line
        for path in files(folder)
        if (name := path.relative_to(ROOT).as_posix()) not in NOT_YET_CLEAN
        for line in find_phrases(name, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_has_no_banned_phrase(words: tuple[str, ...]) -> None:
    name = " ".join(["dynoexport", *words, "--help"])
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == 0
    if name not in NOT_YET_CLEAN:
        found = find_phrases(name, shown.output)
        assert not found, "\n".join(found)


def test_every_phrase_has_a_better_word_and_a_reason() -> None:
    for entry in yaml.safe_load(PHRASES.read_text(encoding="utf-8")):
        assert set(entry) == {"phrase", "write", "why"}
        assert all(isinstance(value, str) and value for value in entry.values())


@pytest.mark.parametrize(
    "text",
    [
        'print("what of "\n    "which")',
        "# nothing but\n# meanwhile",
        "def test_told_once() -> None:",
        "`AWS_REGION` count",
    ],
)
def test_phrase_is_found_across_lines_and_in_names(text: str) -> None:
    assert find_phrases("text", text)


@pytest.mark.parametrize("text", ["None if there is none", "if value is None:", "a storyteller"])
def test_plain_text_passes(text: str) -> None:
    assert find_phrases("text", text) == []
