"""What others read from a table, by the hour: CloudWatch's sums without our runs. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dynoexport.model import ReadMode
from dynoexport.planning import plan, table_facts
from dynoexport.planning.table_facts import Consumption, DescriptionRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dynoexport.storage.manifests import Manifest

HOUR = timedelta(hours=1)
_HOUR_SECONDS = HOUR.total_seconds()
HOURS_A_DAY = 24


@dataclass(frozen=True)
class OwnReading:
    """What one of our runs read: units, spread evenly over so many seconds from ``began`` on."""

    began: datetime
    seconds: float
    units: float

    def by_hour(self) -> Iterator[tuple[datetime, float]]:
        """Each hour in which it read, and the units read in it."""
        ends = self.began + timedelta(seconds=max(1.0, self.seconds))
        whole = (ends - self.began).total_seconds()
        hour = on_the_hour(self.began)
        while hour < ends:
            shared = min(ends, hour + HOUR) - max(self.began, hour)
            yield hour, self.units * shared.total_seconds() / whole
            hour += HOUR


def own_reading(manifest: Manifest) -> OwnReading | None:
    """What the run of a snapshot read from the table; None if its manifest does not record it.

    Glue's connector does not count its units, so they are those of one scan. DynamoDB's own
    exports use none.
    """
    read = manifest.reading
    if manifest.started is None or read.reader == ReadMode.EXPORT.value:
        return None
    units = read.units
    if units is None:
        try:
            table = table_facts.parse_description(manifest.described)
        except DescriptionRefused:
            return None
        units = plan.units_for(table.bytes, read.splits or 1)
    seconds = manifest.seconds.get("read", 0.0) if read.seconds is None else read.seconds
    return OwnReading(manifest.started, seconds, units)


@dataclass(frozen=True)
class Hourly:
    """Read units of a table by the hour.

    Attributes:
        sums: by the hour's beginning; hours in which nothing was read are left out.
        days: the number of days of these sums.
    """

    sums: Mapping[datetime, float]
    days: int

    def without(self, runs: Iterable[OwnReading]) -> Hourly:
        """What others read besides our runs; CloudWatch counts both."""
        own: defaultdict[datetime, float] = defaultdict(float)
        for run in runs:
            for hour, units in run.by_hour():
                own[hour] += units
        left = {hour: max(0.0, units - own[hour]) for hour, units in self.sums.items()}
        return replace(self, sums=left)

    def during(self, firings: Iterable[datetime], seconds: float) -> Consumption:
        """In the hours of the day, in UTC, of runs that begin at ``firings``."""
        hours = active_hours(firings, seconds)
        rates = [units / _HOUR_SECONDS for at, units in self.sums.items() if at.hour in hours]
        return Consumption(
            sum(rates) / (self.days * len(hours)), max(rates, default=0.0), self.days, len(hours)
        )


def active_hours(firings: Iterable[datetime], seconds: float) -> frozenset[int]:
    """The hours of the day in which runs of so many seconds are active."""

    def touched(firing: datetime) -> int:
        since = (firing - on_the_hour(firing)).total_seconds()
        return max(1, min(HOURS_A_DAY, math.ceil((since + seconds) / _HOUR_SECONDS)))

    return frozenset(
        (firing + hours * HOUR).hour for firing in firings for hours in range(touched(firing))
    )


def on_the_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
