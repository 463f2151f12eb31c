"""What AWS charges. All figures are in ``prices.json``, with their date and sources."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from dynoexport.aws.workflow_runs import Attempt, Run

# The region whose prices are used for a region without its own.
FALLBACK_REGION = "us-east-1"
# A higher price is a mistake, and figures from it might not be finite.
_HIGHEST = 1e9
# A device has no end; prices.json has 30,000 characters.
_LONGEST = 1_000_000


class PricesRefused(DynoexportError):
    """A price file that does not have the form of ``prices.json``."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Dollars of one region. A GB is 1,024^3 bytes, a TB of Athena 1,024^4.

    ``dpu_hour`` is by Glue version or execution class. The names are the keys of ``prices.json``.
    """

    dpu_hour: Mapping[str, float]
    million_read_requests: float
    million_read_requests_infrequent_access: float
    export_gb: float
    incremental_export_gb: float
    recovery_gb_month: float
    s3_gb_month: float
    s3_thousand_puts: float
    s3_thousand_gets: float
    athena_tb: float
    thousand_state_transitions: float
    million_lambda_requests: float


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The figures of a region, and how AWS rounds up what was used.

    ``region`` is the region of the figures, which may differ from the requested one. AWS does not
    publish a crawler's capacity; ``crawler_dpu`` follows from bills. A job of Glue 0.9 or 1.0 was
    billed for at least ``first_glue_minimum_seconds``.
    """

    date: str
    region: str
    figures: Figures
    minimum_seconds: Mapping[str, int]
    first_glue_minimum_seconds: int
    crawler_dpu: float

    def dpu_hour(self, *keys: str) -> float:
        """Dollars of a DPU-hour: of the first key with a price of its own, else the default."""
        own = self.figures.dpu_hour
        return own[next((key for key in keys if key in own), "default")]


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    text = (resources.files("dynoexport.planning") / "prices.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def load_prices(region: str, *, file: Path | None = None) -> Prices:
    """The region's prices, or those of us-east-1 if they are not known.

    ``file`` has prices of some regions, in the form of ``prices.json``; they replace the shipped
    ones. Other omitted keys have the shipped values.

    Raises:
        PricesRefused: the file cannot be read, or does not have that form.
    """
    shipped = _shipped()
    own = _own(file) if file is not None else {}
    regions = {name: (shipped, figures) for name, figures in shipped["regions"].items()}
    regions |= {
        name: ({**shipped, **own}, figures) for name, figures in own.get("regions", {}).items()
    }
    known = region if region in regions else FALLBACK_REGION
    data, figures = regions[known]
    return Prices(
        date=data["date"],
        region=known,
        figures=Figures(**{field.name: figures[field.name] for field in fields(Figures)}),
        minimum_seconds=data["minimum_seconds"],
        first_glue_minimum_seconds=data["first_glue_minimum_seconds"],
        crawler_dpu=float(data["crawler_dpu"]),
    )


# --- a file of one's own --------------------------------------------------------------------------
def _own(file: Path) -> dict[str, Any]:
    try:
        with file.open(encoding="utf-8") as opened:
            content = json.loads(opened.read(_LONGEST))
    except OSError as error:
        raise PricesRefused(
            f"cannot read the prices in {file}: {error.strerror}", hint="name an existing file"
        ) from None
    except (ValueError, RecursionError) as error:
        raise _refused(file, f"it is not JSON: {str(error).splitlines()[0]}") from None
    wrong = next(_faults(content), None)
    if wrong is not None:
        raise _refused(file, wrong)
    checked: dict[str, Any] = content
    return checked


def _refused(file: Path, why: str) -> PricesRefused:
    return PricesRefused(
        f"the prices in {file} are not valid: {why}",
        hint="write a date and every figure of a region, as in dynoexport/planning/prices.json",
    )


def _faults(content: object) -> Iterator[str]:
    """What is wrong with the contents of a file of prices, in the order of its keys."""
    if not isinstance(content, Mapping):
        yield "it is not a JSON object"
        return
    yield from _wrong_date(content.get("date"))
    if content.get("currency", "USD") != "USD":
        yield f"currency is {content['currency']!r}, not 'USD'"
    minimum = content.get("minimum_seconds", _shipped()["minimum_seconds"])
    yield from _wrong_group(minimum, _shipped()["minimum_seconds"], "minimum_seconds")
    for name in ("first_glue_minimum_seconds", "crawler_dpu"):
        yield from _wrong_number(content.get(name, 0), name)
    regions = content.get("regions")
    if not isinstance(regions, Mapping) or not regions:
        yield "regions is not a JSON object with a region"
        return
    for region, figures in regions.items():
        yield from _wrong_region(region, figures)


def _wrong_date(text: object) -> Iterator[str]:
    try:
        date.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        yield f"date is {text!r}, not a day such as '2026-11-01'"


def _wrong_region(region: str, figures: object) -> Iterator[str]:
    names, place = [field.name for field in fields(Figures)], f"regions.{region}"
    yield from _wrong_group(figures, names, place, beside=("dpu_hour",))
    if isinstance(figures, Mapping):
        yield from _wrong_group(figures.get("dpu_hour"), ("default",), f"{place}.dpu_hour")
        for name in figures:
            if name not in names:
                yield f"{place}.{name} is not a known price"


def _wrong_group(
    values: object, needed: Iterable[str], name: str, *, beside: Container[str] = ()
) -> Iterator[str]:
    """Missing keys of the group, and values that are not numbers, except those ``beside``."""
    if not isinstance(values, Mapping):
        yield f"{name} is not a JSON object"
        return
    for key in needed:
        if key not in values:
            yield f"{name}.{key} is missing"
    for key, value in values.items():
        if key not in beside:
            yield from _wrong_number(value, f"{name}.{key}")


def _wrong_number(value: object, name: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _HIGHEST:
        yield f"{name} is {value!r}, not a number of at least 0"


# --- the cost of a run ----------------------------------------------------------------------------
def cost(run: Run, prices: Prices, now: datetime) -> float:
    """Dollars for the run's jobs and crawls so far, for AWS Glue only: no S3, DynamoDB, Athena.

    DPU x seconds / 3600 x price of a DPU-hour for every attempt, each of at least the minimum
    that AWS bills (https://aws.amazon.com/glue/pricing/).
    """
    attempts = (attempt for node in run.nodes for attempt in node.attempts)
    return sum(_cost(attempt, prices, now) for attempt in attempts)


def _cost(attempt: Attempt, prices: Prices, now: datetime) -> float:
    keys = (attempt.execution_class, attempt.glue_version) if attempt.kind == "glueetl" else ()
    price = prices.dpu_hour(*keys)
    return billed(attempt, prices, now) / 3600 * price


def billed(attempt: Attempt, prices: Prices, now: datetime) -> float:
    """DPU-seconds that AWS bills for the attempt: at least a minimum."""
    least = prices.minimum_seconds[attempt.kind]
    if attempt.kind == "crawler":
        return prices.crawler_dpu * max(attempt.seconds(now), least)
    return max(attempt.dpu_seconds(now), attempt.dpu * least)
