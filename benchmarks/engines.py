"""A whole run with Spark and a crawler, and without: seconds, CPU seconds and memory of its jobs.

The endpoint of `dynoexport local start` runs both on this machine, which pages_server.py gives the
items. On AWS a job also waits for its machine, and has another CPU.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import reader
from pages_server import TABLE
from rich.console import Console
from rich.table import Table

import dynoexport
from dynoexport import settings
from dynoexport.aws import workflow_runs
from dynoexport.local import server
from dynoexport.local.glue import processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

ENGINES = {
    "Spark and crawler": {"Engine": "spark", "CatalogUpdate": "crawler"},
    "neither": {"Engine": "python", "CatalogUpdate": "direct"},
}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Processes:
    """All processes below this one, as long as they are watched: CPU seconds and memory."""

    ticks: dict[int, int] = field(default_factory=dict)
    peak_mb: float = 0.0

    @property
    def cpu(self) -> float:
        return sum(self.ticks.values()) / TICKS

    def look(self) -> None:
        """Once: a process that has ended keeps what it had."""
        parents: dict[int, int] = {}
        found: dict[int, tuple[int, float]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = path.read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            pid = int(path.parent.name)
            parents[pid] = int(words[1])
            found[pid] = int(words[11]) + int(words[12]), int(words[21]) * 4096 / 2**20
        below = {os.getpid()}
        while more := {pid for pid, parent in parents.items() if parent in below} - below:
            below |= more
        jobs = [pid for pid in below if pid != os.getpid() and not is_server(pid)]
        for pid in jobs:
            self.ticks[pid] = found[pid][0]
        self.peak_mb = max(self.peak_mb, sum(found[pid][1] for pid in jobs))


def is_server(pid: int) -> bool:
    """Whether it is the server of the pages."""
    try:
        return b"pages_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@contextmanager
def watching() -> Iterator[Processes]:
    watched, ended = Processes(), threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            watched.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        ended.set()
        thread.join()


def run(endpoint: Endpoint, account: Any, parameters: dict[str, str]) -> dict[str, float]:
    """Deploy and run once."""
    (deployed,) = dynoexport.deploy(
        account,
        TABLE,
        parameters={settings.READ_MODE: "native", settings.MAX_READ: "1.0", **parameters},
        sample=False,
    )
    if parameters[settings.ENGINE] == "python":
        # The Spark that waits for a job of the other way.
        processes.reserve.empty()
    glue = endpoint.client("glue")
    with watching() as watched:
        began = time.monotonic()
        run_id = glue.start_workflow_run(Name=deployed.workflow)["RunId"]
        *_, last = workflow_runs.watch(glue, deployed.workflow, run_id, seconds=0.2)
        seconds = time.monotonic() - began
    workflow_runs.require_success(last)
    return {"seconds": seconds, "cpu": watched.cpu, "mb": watched.peak_mb}


def measure(data: str, items: int, rounds: int) -> dict[str, Any]:
    """Both ways, in turns; the median of each figure."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ENGINES}
    with (
        reader.serving(data, items) as (url, _, _),
        server.serve(port=0, dynamodb_endpoint_url=url) as endpoint,
    ):
        # With DynamoDB at another address, which only the environment can say.
        os.environ.update(endpoint.env)
        account = dynoexport.connect(region=endpoint.region)
        dynoexport.init(account)
        for _ in range(rounds):
            for name, parameters in ENGINES.items():
                found[name].append(run(endpoint, account, parameters))
    return {
        name: {
            figure: common.spread([taken[figure] for taken in measured])
            for figure in ("seconds", "cpu", "mb")
        }
        for name, measured in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, nargs="+", default=[2, 20_000, 250_000])
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    figures = {
        str(items): measure("documents", items, given.rounds) for items in sorted(given.items)
    }
    grid = Table("items", "way", "seconds", "CPU seconds", "MB")
    for items, measured in figures.items():
        for name, taken in measured.items():
            medians = [f"{taken[figure]['median']:,.1f}" for figure in ("seconds", "cpu", "mb")]
            grid.add_row(items, name, *medians)
    Console().print(grid)
    if given.output:
        common.write(given.output, "engines", {"rounds": given.rounds, "items": figures})


if __name__ == "__main__":
    main()
