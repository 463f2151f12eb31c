"""How long snapshots are kept."""

from __future__ import annotations

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options.option import Option, Rule, is_one_of
from dynoexport.model import OutputFormat

GROUP = "Retention, retries and notifications"

OPTION = Option(
    group=GROUP,
    fields=(
        form.number(
            settings.RETENTION_DAYS,
            "Keep snapshots for (days)",
            "After each run, delete snapshots older than this many days, but never the current "
            "one. 0: keep all; xml needs 0, because it has no view job.",
            least=0,
            most=settings.RETENTION_DAYS_MAX,
            default=settings.DEFAULT_RETENTION_DAYS,
        ),
    ),
    rules=(
        Rule(
            name="SnapshotsExpireByTheViewJob",
            when=is_one_of(settings.OUTPUT_FORMAT, OutputFormat.XML.value),
            must=(is_one_of(settings.RETENTION_DAYS, "0"),),
            reason="xml has no view job that could delete old snapshots",
            remedy="leave SnapshotRetentionDays at 0",
            hint="set SnapshotRetentionDays=0, and delete old snapshots with: "
            "dynoexport prune {TableName} --older-than {SnapshotRetentionDays}d",
        ),
    ),
)
