"""The job's reader beside other ways from a Scan to Parquet: same server, same run, in turns.

The server holds recorded pages in memory (benchmarks/pages_server.py), so that the client's time is
measured. Each contestant is a process of its own (benchmarks/contestants.py) on one core, with the
server on the other; "2 processes" uses both. The rows that the first round writes are compared with
the items of the server.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import common
import contestants
import pages_server
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
PEERS = Path.home() / ".cache" / "dynoexport-bench" / "peers"
OURS = [name for name in contestants.CONTESTANTS if name.startswith("dynoexport")]
RAW = "raw HTTP, body discarded"
# What a peer loses on the way to Parquet; its other values are compared.
LOSSES = {
    "dynamodb-csv": "numbers are doubles, nested values are JSON text, booleans are nothing",
}
# dynamodb-csv needs a list of the whole numbers.
DELAYS = ("dep_delay", "arr_delay", "dep_time", "arr_time", "air_time")
SCHEDULE = ("year", "month", "day", "sched_dep_time", "sched_arr_time", "hour", "minute")
WHOLE = {"flights": [*DELAYS, *SCHEDULE, "flight", "distance"], "documents": ["count"]}


def peers_python() -> Path:
    """The interpreter of the peers' environment, which the first run creates."""
    python = PEERS / "bin" / "python"
    wanted = (HERE / "peers.txt").read_text()
    stamp = PEERS / "peers.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Setting up {PEERS} (once)", flush=True)
        venv.create(PEERS, clear=True, with_pip=True)
        install: list[str | Path] = [
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            HERE / "peers.txt",
        ]
        subprocess.run([python, "-m", "pip", *install], check=True)
        stamp.write_text(wanted)
    return python


@contextmanager
def serving(data: str, items: int) -> Iterator[tuple[str, int, int]]:
    """The server's address, the bytes of all its responses, and their number."""
    server_script = str(HERE / "pages_server.py")
    command = [sys.executable, server_script, "--data", data, "--items", str(items)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url, sent, pages = server.stdout.readline().split()
        pin(server.pid, {max(os.sched_getaffinity(0))})
        try:
            yield url, int(sent), int(pages)
        finally:
            server.terminate()


def pin(process: int, cores: set[int]) -> None:
    os.sched_setaffinity(process, cores)


def measure(name: str, url: str, data: str, out: Path) -> dict[str, Any]:
    """Run one contestant and return the figures that it prints."""
    python = sys.executable if name in {*OURS, RAW} else peers_python()
    every = os.sched_getaffinity(0)
    cores = every if "2 processes" in name else {min(every)}
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": contestants.REGION,
        "PYTHONWARNINGS": "ignore",
        "WHOLE_NUMBERS": json.dumps(WHOLE[data]),
    }
    done = subprocess.run(
        [python, HERE / "contestants.py", name, "--url", url, "--out", out],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: pin(0, cores),
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# --- the same output, row by row ------------------------------------------------------------------
def check(name: str, data: str, items: int, out: Path) -> None:
    """Check that the rows are the items of the server.

    Raises:
        SystemExit: a row differs; the message shows the first one.
    """
    rows: dict[str, dict[str, Any]] = {}
    for file in sorted(out.glob("rows*.parquet")):
        for row in pq.read_table(file).to_pylist():
            rows[row["id"]] = row
    if len(rows) != items:
        raise SystemExit(f"{name}: {len(rows):,} rows instead of {items:,}")
    lossy = name in LOSSES
    for item in pages_server.items_of(data, items):
        expected = {key: pages_server.plain(value) for key, value in item.items()}
        row = rows[expected["id"]]
        if canonical(row, lossy=lossy) != canonical(expected, lossy=lossy):
            raise SystemExit(f"{name}: {row}\nis not\n{expected}")


def canonical(value: Any, *, lossy: bool) -> Any:
    """A value as it is compared: numbers exact, missing values left out."""
    if isinstance(value, dict):
        held = {key: canonical(inner, lossy=lossy) for key, inner in value.items()}
        return {key: inner for key, inner in held.items() if inner is not None}
    if isinstance(value, list):
        return [canonical(element, lossy=lossy) for element in value]
    if isinstance(value, bool):
        return None if lossy else value
    if isinstance(value, (int, float, Decimal)):
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if lossy and isinstance(value, str) and value[:1] in {"{", "["}:
        return canonical(json.loads(value), lossy=True)
    return None if lossy and value == "" else value


# --- the run --------------------------------------------------------------------------------------
def compare(data: str, items: int, rounds: int, names: list[str]) -> dict[str, Any]:
    """All rounds of one data set."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with serving(data, items) as (url, sent, pages):
        for number in range(rounds):
            for name in names:
                with tempfile.TemporaryDirectory() as directory:
                    out = Path(directory)
                    runs[name].append(measure(name, url, data, out))
                    if not number and name != RAW:
                        check(name, data, items, out)
    rows = [summary(name, results, items, sent) for name, results in runs.items()]
    return {"data": data, "items": items, "answer_bytes": sent, "pages": pages, "rows": rows}


def summary(name: str, results: list[dict[str, Any]], items: int, sent: int) -> dict[str, Any]:
    seconds = common.spread([result["seconds"] for result in results])
    cpu = common.spread([result["cpu"] for result in results])
    return {
        "reader": name,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "items_a_second": items / seconds["median"],
        "items_a_cpu_second": items / cpu["median"],
        "mb_a_cpu_second": sent / cpu["median"] / 1e6,
        "loses": LOSSES.get(name, ""),
    }


def show(compared: dict[str, Any]) -> None:
    peers = [row for row in compared["rows"] if row["reader"] not in {*OURS, RAW}]
    best = max((row["items_a_cpu_second"] for row in peers), default=None)
    size = compared["answer_bytes"] / 1e6
    table = Table(
        title=f"{compared['items']:,} {compared['data']}, {size:,.0f} MB, {compared['pages']} pages"
    )
    for column in ("reader", "seconds", "CPU s", "items/s", "items/CPU s", "best peer = 1"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for row in compared["rows"]:
        seconds, cpu = row["seconds"], row["cpu_seconds"]
        table.add_row(
            row["reader"],
            f"{seconds['median']:.2f} ({seconds['min']:.2f} to {seconds['max']:.2f})",
            f"{cpu['median']:.2f}",
            f"{row['items_a_second']:,.0f}",
            f"{row['items_a_cpu_second']:,.0f}",
            f"{row['items_a_cpu_second'] / best:.1f}" if best else "",
        )
    Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", choices=[*pages_server.DATA, "both"], default="both")
    parser.add_argument("--only", choices=contestants.CONTESTANTS, help="this reader alone")
    parser.add_argument("--output", type=Path, help="write the figures here, as JSON")
    given = parser.parse_args()
    names = [given.only] if given.only else list(contestants.CONTESTANTS)
    if set(names) - {*OURS, RAW}:
        peers_python()
    sets = list(pages_server.DATA) if given.data == "both" else [given.data]
    compared = [compare(data, given.items, given.rounds, names) for data in sets]
    for data_set in compared:
        show(data_set)
    if given.output:
        common.write(given.output, "reader", {"rounds": given.rounds, "sets": compared})


if __name__ == "__main__":
    main()
