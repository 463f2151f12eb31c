"""What the benchmarks share: the machine, medians, alternating rounds, figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from datetime import datetime, timezone
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PACKAGES = ("dynoexport", "boto3", "pyarrow", "pyspark")


def machine() -> dict[str, Any]:
    """The machine on which the figures were measured."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_gb": round(memory / 2**30, 1)}


def versions() -> dict[str, str]:
    installed = {
        distribution.metadata["Name"]: distribution.version for distribution in distributions()
    }
    return {
        "python": platform.python_version(),
        **{name: installed[name] for name in PACKAGES if name in installed},
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """All rounds, their median, minimum and maximum."""
    return {
        "rounds": list(values),
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def alternating(
    contestants: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """The result of each contestant by round. They take turns, so that noise affects all alike."""
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            measured[name].append(measure())
    return measured


def rows_of(files: Iterable[Any]) -> list[dict[str, Any]]:
    """The rows of parquet files."""
    # Not every benchmark has it.
    import pyarrow.parquet as pq

    return [row for file in files for row in pq.read_table(file).to_pylist()]


def write(path: Path, benchmark: str, figures: Mapping[str, Any]) -> None:
    """Write the figures, with the machine on which they were measured."""
    whole = {
        "benchmark": benchmark,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        **figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
