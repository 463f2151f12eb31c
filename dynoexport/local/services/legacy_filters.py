"""The conditions that Scan and Query had before filter expressions: ScanFilter and QueryFilter.

moto applies them while it collects a page, so that what they leave out costs nothing. They are
evaluated after the page:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.ScanFilter.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.dynamodb.models.dynamo_type import Item

# How many values an operator compares with, if it is not one:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Condition.html
_NUMBERS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}


def pop(request: dict[str, Any]) -> Callable[[Item], bool]:
    """Take the filter out of a Scan or a Query; the result says whether an item passes it.

    Raises:
        MockValidationException: an operator has too many or too few values.
    """
    found = {**request.pop("ScanFilter", {}), **request.pop("QueryFilter", {})}
    conditions = [_condition(name, condition) for name, condition in found.items()]
    combine = any if request.get("ConditionalOperator") == "OR" and conditions else all
    return lambda item: combine(condition(item) for condition in conditions)


def _condition(name: str, condition: dict[str, Any]) -> Callable[[Item], bool]:
    comparison = condition["ComparisonOperator"]
    values = [DynamoType(value) for value in condition.get("AttributeValueList", ())]
    if (not values) if comparison == "IN" else (len(values) != _NUMBERS.get(comparison, 1)):
        raise MockValidationException(
            "One or more parameter values were invalid: Invalid number of argument(s) for the "
            f"{comparison} ComparisonOperator"
        )

    def passes(item: Item) -> bool:
        attribute = item.attrs.get(name)
        if attribute is None:
            return bool(comparison == "NULL")
        return bool(attribute.compare(comparison, values))

    return passes
