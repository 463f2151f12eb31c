"""Where the seconds of a whole demo run go: `dynoexport local demo`, step by step.

The steps are those that the command prints, with the nodes of its workflow run.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import common
from rich.console import Console
from rich.table import Table

NODE = re.compile(r"^ +(?:job|crawler) (\S+) SUCCEEDED after ([\d.]+) s", re.MULTILINE)
STEP = re.compile(r"^ {2}(\S.*?) {2,}([\d.]+) s", re.MULTILINE)
DURATIONS = "What each step took"
WHOLE = "the command, from start to end"


def run() -> dict[str, float]:
    """The seconds of one run, by step."""
    command = [str(Path(sys.executable).with_name("dynoexport")), "local", "demo"]
    began = time.monotonic()
    wide = {**os.environ, "COLUMNS": "160"}
    done = subprocess.run(command, env=wide, capture_output=True, text=True, check=True)
    whole = time.monotonic() - began
    printed, _, durations = done.stdout.partition(DURATIONS)
    steps = {f"  node {name}": float(seconds) for name, seconds in NODE.findall(printed)}
    steps.update({name: float(seconds) for name, seconds in STEP.findall(durations)})
    return {**steps, WHOLE: whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    runs = [run() for _ in range(given.rounds)]
    steps = {name: common.spread([seconds[name] for seconds in runs]) for name in runs[0]}
    grid = Table("step", "seconds", "least", "most")
    for name, seconds in steps.items():
        grid.add_row(name, *(f"{seconds[key]:.1f}" for key in ("median", "min", "max")))
    Console().print(grid)
    if given.output:
        common.write(given.output, "demo", {"rounds": given.rounds, "steps": steps})


if __name__ == "__main__":
    main()
