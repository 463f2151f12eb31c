"""`dynoexport templates` beside `cdk synth` of the same templates: processes that take turns.

benchmarks/cdk declares the stacks of templates/ with the AWS CDK. A check compares the number of
resources of each type. The CDK app also runs without its CLI, which is the quickest way to run it.
The second part generates templates for 1 to 1,000 tables in one process, each with defaults of its
own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import common
import yaml
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
ROOT = HERE.parent
CDK = Path.home() / ".cache" / "dynoexport-bench" / "cdk"
MANY = (1, 10, 100, 1_000)


def set_up() -> None:
    """Install the CDK beside a copy of the app, once."""
    CDK.mkdir(parents=True, exist_ok=True)
    for file in (HERE / "cdk").iterdir():
        if file.is_file():
            shutil.copy(file, CDK)
    if not (CDK / "node_modules" / "aws-cdk-lib").exists():
        print(f"Setting up {CDK} (once)", flush=True)
        npm = shutil.which("npm") or sys.exit("the CDK needs Node.js: install npm")
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run([npm, "install", *quiet], cwd=CDK, check=True)


def timed(command: list[str | Path], cwd: Path, **environment: str) -> float:
    began = time.monotonic()
    given = {**os.environ, **environment}
    subprocess.run(command, cwd=cwd, env=given, check=True, capture_output=True)
    return time.monotonic() - began


def resources(template: dict[str, Any]) -> Counter[str]:
    return Counter(resource["Type"] for resource in template["Resources"].values())


class Loader(yaml.SafeLoader):
    """Reads each of CloudFormation's short forms as None: the check needs types only."""


Loader.add_multi_constructor("!", lambda *_: None)


def check(ours: Path, theirs: Path) -> dict[str, int]:
    """Check that both hold the same resources, and return their number by type."""
    whole: Counter[str] = Counter()
    for name in ("common", "table"):
        own = resources(yaml.load((ours / f"{name}.yaml").read_text(), Loader))  # noqa: S506
        other = resources(json.loads((theirs / f"{name}.template.json").read_text()))
        if own != other:
            sys.exit(f"{name}: {own - other} only in ours, {other - own} only in the CDK's")
        whole += own
    return dict(whole)


def compare(rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """The seconds of each in every round, and the resources that both generate."""
    set_up()
    node = shutil.which("node") or "node"
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = Path(directory, "ours"), Path(directory, "cdk.out")
        command = Path(sys.executable).with_name("dynoexport")
        cdk = CDK / "node_modules" / "aws-cdk" / "bin" / "cdk"
        synth: list[str | Path] = [node, cdk, "synth", "--quiet"]
        synth += ["--app", f"{node} app.js", "--output", theirs, "--no-version-reporting"]
        seconds = common.alternating(
            {
                "dynoexport templates": lambda: timed(
                    [command, "templates", "--output-dir", ours, "--scripts-dir", ours], ROOT
                ),
                "cdk synth": lambda: timed([*synth], CDK, CDK_DISABLE_VERSION_CHECK="1"),
                "node app.js, without the CLI": lambda: timed(
                    [node, "app.js"], CDK, CDK_OUTDIR=str(theirs)
                ),
            },
            rounds,
        )
        return seconds, check(ours, theirs)


def many() -> dict[int, float]:
    """Seconds per table, by the number of JSON templates that one process generates."""
    from dynoexport import settings
    from dynoexport.cloudformation import render

    seconds = {}
    for tables in MANY:
        began = time.monotonic()
        for table in range(tables):
            defaults = {
                settings.TABLE_NAME: f"Table{table}",
                settings.SCHEDULE: f"cron({table % 60} {table // 60} * * ? *)",
            }
            render.table_text(defaults, fmt=render.Format.JSON, command="")
        seconds[tables] = (time.monotonic() - began) / tables
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    measured, held = compare(given.rounds)
    spreads = {name: common.spread(seconds) for name, seconds in measured.items()}
    own = spreads["dynoexport templates"]["median"]
    grid = Table("generator", "seconds", "ours = 1", title=f"{sum(held.values())} resources")
    for name, spread in spreads.items():
        seconds = f"{spread['median']:.2f} ({spread['min']:.2f} to {spread['max']:.2f})"
        grid.add_row(name, seconds, f"{spread['median'] / own:.1f}")
    Console().print(grid)
    each_table = many()
    lines = Table("tables from one process", "ms a table")
    for tables, per_table in each_table.items():
        lines.add_row(f"{tables:,}", f"{per_table * 1_000:.1f}")
    Console().print(lines)
    if given.output:
        figures = {"resources": held, "processes": spreads, "seconds_a_table": each_table}
        common.write(given.output, "generator", figures)


if __name__ == "__main__":
    main()
