"""Whether runs of a job can work; ``plan``, ``deploy`` and ``run`` check it first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport import limits
from dynoexport.model import Engine, ReadMode
from dynoexport.planning.plan import PYTHON_TABLE_BYTES_MAX
from dynoexport.units import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.planning.plan import Estimate

_LONGEST_JOB = limits.GLUE_TIMEOUT_MAX_MINUTES * 60


@dataclass(frozen=True)
class Obstacle:
    """A reason why runs cannot work, and what to do."""

    reason: str
    advice: str

    def __str__(self) -> str:
        return f"{self.reason}; {self.advice}"


def least_percent(reader: ReadMode) -> float:
    """The lowest read percentage of a reader; Glue's connector needs at least a tenth."""
    if reader is ReadMode.CONNECTOR:
        return limits.DYNAMODB_READ_PERCENT_MIN
    return limits.NATIVE_READ_PERCENT_MIN


def refuse_percent(reader: ReadMode, percent: float) -> str | None:
    """Why the reader does not take a read percentage; None if it does."""
    least = least_percent(reader)
    return None if percent >= least else f"the {reader.value} reader needs at least {least:g}"


def refuse_size(engine: Engine, table_bytes: int) -> Obstacle | None:
    """Why the table is too large for the engine; None if it is not."""
    if engine is Engine.SPARK or table_bytes <= PYTHON_TABLE_BYTES_MAX:
        return None
    return Obstacle(
        f"Engine python takes tables of at most {size(PYTHON_TABLE_BYTES_MAX)}, and this one has "
        f"{size(table_bytes)}",
        "use Spark, which is faster at about the same price: --engine spark",
    )


def find_obstacles(estimate: Estimate, gap_seconds: float | None) -> Iterator[Obstacle]:
    """Each reason why runs cannot work.

    ``gap_seconds`` is the shortest time between two runs, None if there is no second run.
    """
    refusal = refuse_size(estimate.job.engine, estimate.table.bytes)
    if refusal is not None:
        yield refusal
    if estimate.job_seconds > _LONGEST_JOB:
        exported = estimate.job.read_mode is ReadMode.EXPORT
        other = "" if exported else ", or use --read-mode export"
        yield Obstacle(
            f"no run can end: the job takes {duration(estimate.job_seconds)}, and AWS Glue stops "
            f"a job after {duration(_LONGEST_JOB)}",
            "raise the table's capacity, look for a faster job with "
            f"'dynoexport plan --target-duration'{other}",
        )
    elif gap_seconds is not None and estimate.run_seconds > gap_seconds:
        yield Obstacle(
            f"runs overlap: a run takes {duration(estimate.run_seconds)}, but the schedule starts "
            f"one every {duration(gap_seconds)}, and AWS Glue refuses a second run",
            "choose a schedule with longer gaps, or look for a faster job with "
            "'dynoexport plan --target-duration'",
        )
