"""How evenly the segments were read, for the manifest and the log."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.log import counted, items_text, log, number_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dynoexport.jobs.scan.capacity import Capacity

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
MEASURES = ("items", "bytes", "units", "seconds")
HOTTEST = 5


def scan_report(
    records: Sequence[Mapping[str, Any]],
    seconds: float,
    rate: float,
    capacity: Capacity,
    resumed_segments: int,
) -> dict[str, Any]:
    """How the segments were read, for the manifest: totals, quantiles, and the hottest ones.

    ``bytes`` are DynamoDB JSON, ``units`` are read units, ``rate`` is the read limit a second. A
    quantile is the least value that this part of the segments does not exceed.
    """
    names = ("segment", *MEASURES, "throttles")
    hottest = sorted(records, key=lambda record: (-record["units"], -record["seconds"]))[:HOTTEST]
    return {
        "splits": len(records),
        "resumed_splits": resumed_segments,
        "capacity": capacity.units,
        "capacity_source": capacity.source,
        "rate": rate,
        "seconds": round(seconds, 3),
        "units": round(sum(record["units"] for record in records), 1),
        "throttles": sum(record["throttles"] for record in records),
        "skew": {
            "segments": {
                name: quantiles([record[name] for record in records]) for name in MEASURES
            },
            "hottest": [{name: record[name] for name in names} for record in hottest],
        },
    }


def quantiles(values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        name: ordered[max(0, min(last, math.ceil(part * len(ordered)) - 1))]
        for name, part in QUANTILES.items()
    }


def log_skew(report: Mapping[str, Any]) -> None:
    log(
        f"used {report['units']:,.1f} read units in {report['seconds']:,.1f} s; the read limit "
        f"was {number_text(report['rate'])} a second; "
        f"{counted(report['throttles'], 'request')} throttled"
    )
    if report["splits"] == 1:
        return
    segments, hottest = report["skew"]["segments"], report["skew"]["hottest"][0]
    log(
        f"half of the segments had at most {items_text(segments['items']['p50'])} and took at most "
        f"{segments['seconds']['p50']:,.1f} s; 99 % had at most "
        f"{items_text(segments['items']['p99'])} and took at most "
        f"{segments['seconds']['p99']:,.1f} s; the hottest segment, {hottest['segment']}, had "
        f"{items_text(hottest['items'])}, used {hottest['units']:,.1f} read units and took "
        f"{hottest['seconds']:,.1f} s"
    )
