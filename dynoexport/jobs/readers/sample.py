"""One page of the table, to see what Glue's connector may change before it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dynoexport.jobs.log import items_text, log, number_text
from dynoexport.jobs.schema.connector_losses import find_losses
from dynoexport.jobs.settings import attribute_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from dynoexport.jobs.settings import Settings

# A page has at most 1 MB, which costs 128 read units:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
SAMPLE_ITEMS = 100


@dataclass(frozen=True)
class Sample:
    """What a page of the table shows.

    Attributes:
        units: the read units that it consumed.
        losses: the kinds of values that the connector may change, by attribute.
    """

    items: int
    units: float
    losses: Mapping[str, Sequence[str]]


def sample_table(
    dynamodb: DynamoDBClient, table: str, fmt: str, selected: Callable[[str], bool]
) -> Sample:
    """Read one page of the table; of its items, the selected attributes."""
    page = dynamodb.scan(TableName=table, Limit=SAMPLE_ITEMS, ReturnConsumedCapacity="TOTAL")
    items = [
        {name: value for name, value in item.items() if selected(name)} for item in page["Items"]
    ]
    units = page.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
    return Sample(len(items), units, find_losses(items, fmt))


def sample_report(dynamodb: DynamoDBClient, settings: Settings) -> dict[str, Any]:
    """What a sample shows, for the manifest. The job's role may Scan, as the connector does.

    A role in the table's account may allow less: then there is no sample.
    """
    selected = attribute_filter(settings.columns, settings.exclude)
    try:
        found = sample_table(dynamodb, settings.table, settings.format, selected)
    except (ClientError, BotoCoreError) as error:
        log(f"no sample was read: {error}")
        return {}
    log(f"read a sample of {items_text(found.items)} with {number_text(found.units)} read units")
    for name, kinds in found.losses.items():
        log(f"the connector may change {name!r}: {', '.join(kinds)}")
    return {"sampled_items": found.items, "losses": dict(found.losses)}
