"""A page of the table, which shows what Glue's connector would change before a run reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynoexport import settings
from dynoexport.aws.account import NotAws
from dynoexport.cloudformation.selection import parse_names
from dynoexport.errors import one_line
from dynoexport.jobs.readers.sample import sample_table
from dynoexport.jobs.settings import attribute_filter
from dynoexport.model import ReadMode
from dynoexport.units import count, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynoexport.aws.account import Account
    from dynoexport.jobs.readers.sample import Sample
    from dynoexport.model import OutputFormat

# How many attributes a warning names.
_NAMED = 5


def connector_warning(
    account: Account, table: str, fmt: OutputFormat, parameters: Mapping[str, str]
) -> str:
    """What the export's connector may change in a page of the table, and what to do about it.

    Empty if nothing, with another reader, for a table in another account, and if the caller may
    not read the table: the export works without it.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    reader = parameters.get(settings.READ_MODE) or settings.DEFAULT_READ_MODE.value
    if reader != ReadMode.CONNECTOR.value or parameters.get(settings.SOURCE_ROLE):
        return ""
    columns, exclude = (
        parse_names(parameters.get(name, "")) for name in (settings.COLUMNS, settings.EXCLUDE)
    )
    try:
        sample = sample_table(
            account.dynamodb, table, fmt.value, attribute_filter(columns, exclude)
        )
    except (ClientError, BotoCoreError, NotAws):
        return ""
    return warning_text(table, fmt, sample) if sample.losses else ""


def warning_text(table: str, fmt: OutputFormat, sample: Sample) -> str:
    """Attributes and kinds of values, never a value; in the second line, what keeps them."""
    named = [f"{one_line(name)} ({', '.join(kinds)})" for name, kinds in sample.losses.items()]
    more = len(named) - _NAMED
    shown = [*named[:_NAMED], *([count(more, "more attribute")] if more > 0 else [])]
    return (
        f"the connector may change {', '.join(shown)}, as a sample of "
        f"{count(sample.items, 'item')} of {table} shows ({number(sample.units)} read units)\n"
        f"  keep them: dynoexport deploy {table} --format {fmt.value} --read-mode native"
    )
