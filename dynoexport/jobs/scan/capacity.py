"""The read units a second that a table has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The source of the capacity if the table itself has none.
ACCOUNT_QUOTA = "on-demand, account quota"


@dataclass(frozen=True)
class Capacity:
    """The read units a second that a table has, and the source of this number."""

    units: float
    source: str


def choose_capacity(
    *, provisioned: float, maximum: float, warm: float, account: Callable[[], float]
) -> Capacity:
    """The capacity that the read percentage refers to, in read units a second. 0 means unknown.

    The provisioned capacity. For an on-demand table, the first one known of: the maximum that its
    owner set, its warm throughput, the account's quota for one table
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html).
    """
    if provisioned:
        return Capacity(provisioned, "provisioned")
    if maximum > 0:
        return Capacity(maximum, "on-demand maximum")
    if warm:
        return Capacity(warm, "on-demand, warm throughput")
    return Capacity(account(), ACCOUNT_QUOTA)


def table_capacity(table: Mapping[str, Any], account: Callable[[], float]) -> Capacity:
    """``choose_capacity`` from DescribeTable's answer."""
    return choose_capacity(
        provisioned=table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0),
        # DynamoDB answers -1 for no maximum.
        maximum=table.get("OnDemandThroughput", {}).get("MaxReadRequestUnits", -1),
        warm=table.get("WarmThroughput", {}).get("ReadUnitsPerSecond", 0),
        account=account,
    )
