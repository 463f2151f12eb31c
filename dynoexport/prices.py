"""What a workflow run costs. All figures are in ``prices.json``, with their date and sources."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from dynoexport.workflow_runs import Attempt, Run

# What is taken where a region has no prices of its own.
FALLBACK_REGION = "us-east-1"


@dataclass(frozen=True)
class Prices:
    """Dollars for a DPU-hour by Glue version, and how AWS rounds up what was used.

    ``region`` is the region that the figures are of, which may be another one than asked for.
    A crawler's capacity is not published; ``crawler_dpu`` is what its bills amount to.
    """

    date: str
    region: str
    dpu_hour: Mapping[str, float]
    minimum_seconds: Mapping[str, int]
    crawler_dpu: float

    def of_version(self, glue_version: str) -> float:
        return self.dpu_hour.get(glue_version, self.dpu_hour["default"])


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    text = (resources.files("dynoexport") / "prices.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def of_region(region: str) -> Prices:
    """The region's prices, those of us-east-1 if they are not known."""
    data = _data()
    known = region if region in data["dpu_hour"] else FALLBACK_REGION
    return Prices(
        date=data["date"],
        region=known,
        dpu_hour=data["dpu_hour"][known],
        minimum_seconds=data["minimum_seconds"],
        crawler_dpu=float(data["crawler_dpu"]),
    )


def cost(run: Run, prices: Prices, now: datetime) -> float:
    """Dollars for the run's jobs and crawls so far, by AWS Glue alone: no S3, DynamoDB, Athena.

    DPU x seconds / 3600 x price of a DPU-hour for every attempt, each of at least the minimum
    that AWS bills (https://aws.amazon.com/glue/pricing/).
    """
    attempts = (attempt for node in run.nodes for attempt in node.attempts)
    return sum(_cost(attempt, prices, now) for attempt in attempts)


def _cost(attempt: Attempt, prices: Prices, now: datetime) -> float:
    if attempt.kind == "crawler":
        seconds = max(attempt.seconds(now), prices.minimum_seconds["crawler"])
        return prices.crawler_dpu * seconds / 3600 * prices.dpu_hour["default"]
    used = max(attempt.dpu_seconds(now), attempt.dpu * prices.minimum_seconds[attempt.kind])
    price = prices.of_version(attempt.glue_version if attempt.kind == "glueetl" else "")
    return used / 3600 * price
