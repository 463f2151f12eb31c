"""Results as plain values for programs: what ``--output json`` prints, and what its keys mean.

``KINDS`` is the one list of keys; ``docs/json.md`` is generated from it, and a test compares it
with what the functions below make.
"""

from __future__ import annotations

import sys
from datetime import timezone
from typing import TYPE_CHECKING, Any

from dynoexport.planning import alternatives
from dynoexport.planning import prices as price_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from dynoexport.aws.workflow_runs import Node, Run
    from dynoexport.operations.deploy import Deployment
    from dynoexport.operations.destroy import Inventory
    from dynoexport.operations.doctor import Check
    from dynoexport.operations.init import Initialized
    from dynoexport.operations.logs import LogLine
    from dynoexport.operations.plan import Planned
    from dynoexport.operations.run import Schedule
    from dynoexport.operations.snapshots import Pruned, Published
    from dynoexport.operations.status import ExportStatus
    from dynoexport.operations.verify import Verification
    from dynoexport.planning.actuals import Explanation, Figure
    from dynoexport.planning.alternatives import Alternative
    from dynoexport.planning.plan import Cost, Estimate
    from dynoexport.planning.prices import Prices
    from dynoexport.planning.sizing import Choice
    from dynoexport.planning.table_facts import TableFacts
    from dynoexport.storage.snapshot_store import Snapshot

Record = dict[str, Any]

_TABLE = {"table": "DynamoDB table", "format": "file format of the export"}
_RUN = {
    "run_id": "ID of the workflow run",
    "workflow": "name of the workflow",
    "state": "RUNNING, STOPPING, SUCCEEDED, FAILED, STOPPED or ERROR (refused by Glue)",
    "error": "Glue's message about the run, or null",
    "started": "time",
    "completed": "time, or null while it goes on",
    "seconds": "wall-clock seconds from start to end, or null",
    "snapshot": "the snapshot that it writes, or null before that is decided",
    "items": "exported items, or null before the snapshot is complete",
    "bytes": "bytes of its files in S3, or null",
    "dpu_seconds": "DPU-seconds of its jobs so far",
    "cost_usd": "dollars for its jobs and crawl, at the prices of prices.json",
    "nodes": "list of what it ran, in the order of the workflow",
}
_NODE = {
    "name": "name of the job or crawler",
    "kind": "job or crawler",
    "state": "state of the last attempt as Glue names it, WAITING before the first",
    "attempts": "number of attempts",
    "started": "time of the first attempt, or null",
    "completed": "time at which the last attempt ended, or null",
    "seconds": "wall-clock seconds over all attempts, or null while it goes on",
    "dpu_seconds": "DPU-seconds of all attempts",
    "error": "message of the last attempt, or null",
}
_FIGURE = {
    "name": "run, export job, start, read, write, crawl, view job, read units, billed, files or "
    "Glue's cost",
    "unit": "s, units, DPU-s, bytes or USD",
    "planned": "what the plan of that time says",
    "real": "what it was, or null if nobody told",
    "ratio": "real / planned, or null",
    "off": "whether the plan was off by more than twice, and by something that matters",
    "reasons": "list of why that may be, each a sentence",
}
_SNAPSHOT = {
    "snapshot": "the UTC minute that names it",
    "complete": "whether it has a manifest",
    "current": "whether the view shows it",
    "writing": "whether a run is writing it",
    "foreign": "whether dynoexport has not written it; then nothing but you deletes it",
    "items": "number of items, or null if it is not complete",
    "bytes": "bytes of its files, or null",
    "files": "number of files, or null",
    "run_id": "workflow run that wrote it, or null",
    "faults": "list of what distinguishes its files from its manifest, each a sentence",
}

# Kind of record: which commands print it, and its keys.
KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "initialized": (
        "`init`",
        {
            "stack": "name of the common stack",
            "changed": "whether the stack was created or updated",
            "bucket": "bucket of all exports",
            "scripts_version": "hash of the job scripts, their folder in the bucket",
            "uploaded": "list of the keys that were new",
        },
    ),
    "deployment": (
        "`deploy`, a list",
        {
            **_TABLE,
            "stack": "name of the stack",
            "workflow": "name of the workflow",
            "outcome": "created, updated or unchanged",
            "notes": "what the owner should know of the alarms, a sentence each",
        },
    ),
    "run": ("`run`, `watch`; `runs`, `stop`: a list", _RUN),
    "node": ("`nodes` of a run", _NODE),
    "explained run": (
        "`runs --explain`, a list",
        {
            **_RUN,
            "figures": "list of its figures beside those of the plan, empty without a plan",
            "plan_missing": "why there is no plan for it, or null",
        },
    ),
    "figure": ("`figures` of an explained run", _FIGURE),
    "status": (
        "`status`, a list",
        {
            **_TABLE,
            "stack": "name of the stack",
            "workflow": "name of the workflow",
            "last_run": "the newest run without its nodes, or null",
            "snapshot": "what the view shows; without a view the newest complete one; or null",
            "age_seconds": "how old that snapshot is, or null",
            "stale": "whether it is older than --stale, or damaged; null without that option",
            "items": "number of items in it, or null",
            "bytes": "bytes of its files, or null",
            "schedule": "cron expression in UTC",
            "enabled": "whether the schedule is on",
            "next_run": "time of the next scheduled run, or null",
            "faults": "list of what is wrong with that snapshot's files, each a sentence",
        },
    ),
    "line": (
        "`logs`, one record a line",
        {
            "time": "time",
            "node": "name of the job or crawler",
            "kind": "job or crawler",
            "attempt": "attempt, counted from 1",
            "message": "the line",
        },
    ),
    "snapshot": ("`snapshots`, a list", _SNAPSHOT),
    "published": (
        "`publish`",
        {
            **_TABLE,
            "view": "the Athena view with its database",
            "snapshot": "what it shows now",
            "before": "what it showed before, or null",
            "items": "number of items in the snapshot",
        },
    ),
    "pruned": (
        "`prune`",
        {
            **_TABLE,
            "snapshots": "list of the snapshots that were deleted, as `snapshots` tells them",
            "objects": "number of S3 objects that these were, without manifests",
        },
    ),
    "schedule": (
        "`enable`, `disable`",
        {**_TABLE, "schedule": "cron expression in UTC", "enabled": "whether it is on"},
    ),
    "verification": (
        "`verify`",
        {
            **_TABLE,
            "snapshot": "the snapshot that was read",
            "current": "whether the view shows it",
            "whole": "whether nothing is wrong",
            "faults": "list of what is wrong, each a sentence",
            "files": "number of files that the manifest names",
            "bytes": "their bytes",
            "items": "number of items by the manifest",
            "rows": "number of items that were read from the files",
            "table_items": "DynamoDB's own count, some hours old, or null if the table is gone",
        },
    ),
    "destroyed": (
        "`destroy`",
        {
            **_TABLE,
            "stack": "stack that was deleted, or null if it was gone already",
            "catalog": "list of the views and tables deleted from the Glue database",
            "data_deleted": "whether the snapshots were deleted, too",
            "snapshots": "number of complete snapshots in S3",
            "objects": "number of their objects",
            "bytes": "their bytes",
            "foreign": "with --data what stays because dynoexport has not written it: a list of "
            "`prefix`, `objects`, `bytes`",
        },
    ),
    "plan": (
        "`plan`, a list",
        {
            "table": "DynamoDB table",
            "region": "where it is",
            "bytes": "its bytes, as DescribeTable counts them",
            "items": "its items",
            "on_demand": "whether reads are paid one by one",
            "capacity": "read units a second that it has",
            "capacity_source": "what says so",
            "consumed_mean": "read units a second of others at the hours of a run, or null",
            "consumed_peak": "the same of the busiest hour, or null",
            "recovery": "whether point-in-time recovery is on, or null",
            "format": "file format of the export",
            "read_mode": "connector, native or export",
            "glue_version": "Glue version of the job",
            "schedule": "cron expression in UTC",
            "runs_a_month": "how often it fires in a mean month",
            "choices": "list of the recommended parameters of the table stack",
            "command": "what deploys the job",
            "unmet": "list of what was asked for and no job does, each a sentence",
            "harms": "list of what the job takes from others, each a sentence",
            "read_units": "read units of one run",
            "allowed_rate": "read units a second that the read percentage allows",
            "rate": "read units a second that are read",
            "bounds": "object: each thing that bounds the rate, and its rate",
            "segments": "segments or splits of the table",
            "read_seconds": "seconds of reading",
            "write_seconds": "seconds of writing",
            "job_seconds": "seconds of the export job, with its start",
            "run_seconds": "seconds of the workflow run, with crawl and view",
            "dpu_seconds": "DPU-seconds that the export job is billed",
            "files": "part files of a snapshot",
            "output_bytes": "their bytes",
            "costs": "list of the lines of the bill",
            "run_usd": "dollars of a run",
            "month_usd": "dollars of a month: its runs, storage, recovery; no queries",
            "prices_date": "date of the prices",
            "prices_region": "region of the prices",
            "alternatives": "list of other ways to the table's data",
            "cheapest": "name of the one that costs least in a month",
            "assumptions": "list of what the figures rest on, each a sentence",
            "unknown": "list of what could not be asked, each a sentence",
        },
    ),
    "choice": (
        "`choices` of a plan",
        {
            "setting": "parameter of the table stack",
            "value": "its value, as the stack takes it",
            "reason": "why, in a sentence",
        },
    ),
    "cost": (
        "`costs` of a plan and of its alternatives",
        {
            "name": "what is paid for",
            "formula": "label under which docs/plan.md explains the quantity",
            "quantity": "how much of it",
            "unit": "of what",
            "price_usd": "dollars of one",
            "usd": "dollars",
            "per": "run, month, once, or query of the whole view",
        },
    ),
    "alternative": (
        "`alternatives` of a plan",
        {
            "name": "which way",
            "label": "formula of its cost in docs/plan.md",
            "gives": "what is there afterwards",
            "runs_a_month": "how often it runs",
            "run_seconds": "seconds of a run, or null",
            "run_usd": "dollars of a run",
            "month_usd": "dollars of a month",
            "once_usd": "dollars of the beginning",
            "at_least": "whether something is left out that nobody publishes",
            "gone": "why it cannot be had any more, or null",
            "costs": "list of the lines of the bill",
        },
    ),
    "check": (
        "`doctor`, a list",
        {
            "name": "what was looked at",
            "state": "ok, warning or failed",
            "detail": "what was found",
            "hint": "what to do, or empty",
        },
    ),
}


def _time(moment: datetime | None) -> str | None:
    """In UTC: boto3 gives times in the zone of the machine."""
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- one function for each kind -------------------------------------------------------------------
def initialized(result: Initialized) -> Record:
    return {
        "stack": result.stack,
        "changed": result.changed,
        "bucket": result.bucket,
        "scripts_version": result.scripts_version,
        "uploaded": list(result.uploaded),
    }


def deployment(result: Deployment) -> Record:
    return {
        "table": result.table,
        "format": result.format.value,
        "stack": result.stack,
        "workflow": result.workflow,
        "outcome": result.outcome,
        "notes": list(result.notes),
    }


def run(result: Run, prices: Prices, now: datetime) -> Record:
    return {
        "run_id": result.run_id,
        "workflow": result.workflow,
        "state": result.outcome,
        "error": result.error or None,
        "started": _time(result.started),
        "completed": _time(result.completed),
        "seconds": result.seconds,
        "snapshot": result.snapshot,
        "items": result.items,
        "bytes": result.bytes,
        "dpu_seconds": round(sum(node.dpu_seconds(now) for node in result.nodes), 1),
        "cost_usd": round(price_list.cost(result, prices, now), 4),
        "nodes": [node(each, now) for each in result.nodes],
    }


def explained_run(result: Explanation, prices: Prices, now: datetime) -> Record:
    return {
        **run(result.run, prices, now),
        "figures": [figure(each, result) for each in result.figures],
        "plan_missing": result.missing or None,
    }


def figure(result: Figure, explanation: Explanation) -> Record:
    reasons = [each.text for each in explanation.reasons if result.name in each.figures]
    return {
        "name": result.name,
        "unit": result.unit,
        "planned": round(result.planned, 4),
        "real": None if result.real is None else round(result.real, 4),
        "ratio": None if result.ratio is None else round(result.ratio, 3),
        "off": result.off,
        "reasons": reasons,
    }


def node(result: Node, now: datetime) -> Record:
    return {
        "name": result.name,
        "kind": result.kind.lower(),
        "state": result.state,
        "attempts": len(result.attempts),
        "started": _time(result.started),
        "completed": _time(result.completed),
        "seconds": result.seconds,
        "dpu_seconds": round(result.dpu_seconds(now), 1),
        "error": result.error or None,
    }


def status(result: ExportStatus, prices: Prices, now: datetime, *, stale: bool | None) -> Record:
    age = result.age(now)
    last = run(result.last_run, prices, now) if result.last_run is not None else None
    return {
        "table": result.table,
        "format": result.format.value,
        "stack": result.stack,
        "workflow": result.workflow,
        "last_run": {key: last[key] for key in last if key != "nodes"} if last else None,
        "snapshot": result.snapshot,
        "age_seconds": round(age.total_seconds()) if age is not None else None,
        "stale": stale,
        "items": result.items,
        "bytes": result.bytes,
        "schedule": result.schedule,
        "enabled": result.enabled,
        "next_run": _time(result.next_run),
        "faults": list(result.faults),
    }


def line(result: LogLine) -> Record:
    return {
        "time": result.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "node": result.node,
        "kind": result.kind.lower(),
        "attempt": result.attempt,
        "message": result.message,
    }


def snapshot(result: Snapshot) -> Record:
    return {
        "snapshot": result.timestamp,
        "complete": result.complete,
        "current": result.current,
        "writing": result.writing,
        "foreign": result.foreign,
        "items": result.items,
        "bytes": result.bytes,
        "files": result.files,
        "run_id": result.workflow_run_id,
        "faults": list(result.faults),
    }


def published(result: Published) -> Record:
    return {
        "table": result.table,
        "format": result.format.value,
        "view": result.view,
        "snapshot": result.snapshot,
        "before": result.before,
        "items": result.items,
    }


def pruned(result: Pruned) -> Record:
    return {
        "table": result.table,
        "format": result.format.value,
        "snapshots": [snapshot(each) for each in result.snapshots],
        "objects": result.objects,
    }


def schedule(result: Schedule) -> Record:
    return {
        "table": result.table,
        "format": result.format.value,
        "schedule": result.schedule,
        "enabled": result.enabled,
    }


def verification(result: Verification) -> Record:
    return {
        "table": result.table,
        "format": result.format.value,
        "snapshot": result.snapshot,
        "current": result.current,
        "whole": result.whole,
        "faults": list(result.faults),
        "files": result.files,
        "bytes": result.bytes,
        "items": result.items,
        "rows": result.rows,
        "table_items": result.table_items,
    }


def destroyed(result: Inventory) -> Record:
    return {
        "table": result.table,
        "format": result.format.value,
        "stack": result.stack,
        "catalog": list(result.catalog),
        "data_deleted": result.data,
        "snapshots": result.snapshots,
        "objects": result.objects,
        "bytes": result.bytes,
        "foreign": [
            {"prefix": each.prefix, "objects": each.objects, "bytes": each.bytes}
            for each in result.foreign
        ],
    }


def plan(result: Planned) -> Record:
    found = result.recommendation.estimate
    return {
        **_planned_table(result.table),
        "format": found.job.format.value,
        "read_mode": found.job.read_mode.value,
        "glue_version": found.job.glue_version.value,
        "schedule": result.schedule,
        "runs_a_month": found.runs_a_month,
        "choices": [choice(each) for each in result.recommendation.choices],
        "command": " ".join(result.command),
        "unmet": list(result.recommendation.unmet),
        "harms": list(result.recommendation.harms),
        **_planned_run(found),
        "prices_date": result.prices.date,
        "prices_region": result.prices.region,
        "alternatives": [alternative(each) for each in result.alternatives],
        "cheapest": alternatives.cheapest(result.alternatives).name,
        "assumptions": list(result.assumptions),
        "unknown": list(result.unknown),
    }


def _planned_table(table: TableFacts) -> Record:
    consumed = table.consumed
    return {
        "table": table.name,
        "region": table.region,
        "bytes": table.bytes,
        "items": table.items,
        "on_demand": table.on_demand,
        "capacity": table.capacity.units,
        "capacity_source": table.capacity.source,
        "consumed_mean": consumed.mean if consumed else None,
        "consumed_peak": consumed.peak if consumed else None,
        "recovery": table.recovery,
    }


def _planned_run(found: Estimate) -> Record:
    reading = found.reading
    return {
        "read_units": reading.units,
        "allowed_rate": reading.allowed,
        "rate": reading.rate,
        "bounds": {each.name: each.rate for each in reading.bounds},
        "segments": reading.segments,
        "read_seconds": reading.seconds,
        "write_seconds": found.writing_seconds,
        "job_seconds": found.job_seconds,
        "run_seconds": found.run_seconds,
        "dpu_seconds": found.dpu_seconds,
        "files": found.files,
        "output_bytes": found.output_bytes,
        "costs": [cost(each) for each in found.costs],
        "run_usd": found.run_dollars,
        "month_usd": found.month_dollars,
    }


def choice(result: Choice) -> Record:
    return {"setting": result.setting, "value": result.value, "reason": result.reason}


def cost(result: Cost) -> Record:
    return {
        "name": result.name,
        "formula": result.label,
        "quantity": result.quantity,
        "unit": result.unit,
        "price_usd": result.price,
        "usd": result.dollars,
        "per": result.per,
    }


def alternative(result: Alternative) -> Record:
    return {
        "name": result.name,
        "label": result.label,
        "gives": result.gives,
        "runs_a_month": result.runs_a_month,
        "run_seconds": result.seconds,
        "run_usd": result.run_dollars,
        "month_usd": result.month_dollars,
        "once_usd": result.once_dollars,
        "at_least": result.at_least,
        "gone": result.gone or None,
        "costs": [cost(each) for each in result.costs],
    }


def check(result: Check) -> Record:
    return {
        "name": result.name,
        "state": result.state,
        "detail": result.detail,
        "hint": result.hint,
    }


# --- for people -----------------------------------------------------------------------------------
_INTRODUCTION = """\
# What `--output json` prints

Generated by `python -m dynoexport.presentation.json_output > docs/json.md`.

Times are UTC, `2026-01-31T10:00:00Z`. Keys are never taken away or given another meaning within a
major version; new ones may come. Results go to stdout, progress and errors to stderr. `query
--output json` prints the rows of the query: a list of objects, one for each row, with the columns'
names; integers, doubles and booleans as JSON has them, everything else as Athena prints it.
"""


def markdown() -> str:
    """The page's text."""
    parts = [_INTRODUCTION]
    for kind, (commands, keys) in KINDS.items():
        parts.append(f"\n## {kind}\n\n{commands}\n\n| Key | Meaning |\n|---|---|\n")
        parts.extend(_rows(keys.items()))
    return "".join(parts)


def _rows(keys: Iterable[tuple[str, str]]) -> list[str]:
    return [f"| `{key}` | {meaning} |\n" for key, meaning in keys]


if __name__ == "__main__":
    sys.stdout.write(markdown())
