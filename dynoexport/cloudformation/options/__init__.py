"""The options of the table stack, one module each; ``table`` folds them into the template.

To add one, write its module, list it here at its place in the form, and run `dynoexport templates`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport.cloudformation.options import (
    alarms,
    boundary,
    catalog_key,
    catalog_update,
    compression,
    cross_account,
    engine,
    execution_class,
    identity,
    installation,
    kms,
    read_limit,
    reader,
    retention,
    retries,
    schedule,
    selection,
    types,
    vpc,
    workers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from troposphere import AWSHelperFn

    from dynoexport.cloudformation.options.option import Grant, Option, Price, Rule

# In the order of the form.
OPTIONS: tuple[Option, ...] = (
    identity.OPTION,
    catalog_update.OPTION,
    cross_account.OPTION,
    reader.OPTION,
    selection.OPTION,
    types.OPTION,
    compression.OPTION,
    schedule.OPTION,
    read_limit.OPTION,
    engine.OPTION,
    workers.OPTION,
    execution_class.OPTION,
    retention.OPTION,
    retries.OPTION,
    alarms.OPTION,
    installation.COMMON_STACK,
    kms.OPTION,
    catalog_key.OPTION,
    boundary.OPTION,
    installation.SCRIPTS,
    vpc.OPTION,
)

GRANTS: tuple[Grant, ...] = tuple(grant for option in OPTIONS for grant in option.grants)
RULES: tuple[Rule, ...] = tuple(rule for option in OPTIONS for rule in option.rules)
_DEFAULTS = {
    field.parameter.title: str(field.parameter.properties.get("Default", ""))
    for option in OPTIONS
    for field in option.fields
}
# Parameters that change the price of a run.
PRICED = tuple(option.name for option in OPTIONS if option.prices)


def properties(node: str) -> dict[str, object]:
    """What the options add to a node of the template."""
    return {
        name: value for option in OPTIONS for name, value in option.properties.get(node, {}).items()
    }


def arguments() -> dict[str, AWSHelperFn]:
    """Job arguments whose value is not that of the parameter with the same name."""
    return {name: value for option in OPTIONS for name, value in option.arguments.items()}


def broken_rules(parameters: Mapping[str, str]) -> Iterator[Rule]:
    """The rules that these parameters break; omitted parameters have their defaults."""
    values = {**_DEFAULTS, **parameters}
    return (rule for rule in RULES if not rule.allows(values))


def price(parameters: Mapping[str, str]) -> Price | None:
    """What the parameters change about the price of the export job."""
    values = {**_DEFAULTS, **parameters}
    changes = (option.prices.get(values[option.name]) for option in OPTIONS)
    return next((change for change in changes if change is not None), None)
