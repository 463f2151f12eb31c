"""Every name and S3 key that the jobs use, as functions of table and format.

``dynoexport.naming`` has the names that no job needs.
"""

from __future__ import annotations

import re

# Prefixes in the bucket.
MANIFESTS_PREFIX = "manifests/"
TEMP_PREFIX = "glue-temp-dir/"
ATHENA_RESULTS_PREFIX = "athena-results/"

# In the catalog.
SNAPSHOTS_PREFIX = "snapshots_"
PARTITION_KEY = "snapshot_timestamp"
# A snapshot's name: the UTC minute of its run.
TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M"

# Properties of a workflow run. The first two must equal the job's arguments.
IDENTITY = ("TableName", "OutputFormat")
SNAPSHOT_TIMESTAMP = "SnapshotTimestamp"
SNAPSHOT_ITEMS, SNAPSHOT_BYTES = "SnapshotItems", "SnapshotBytes"

# The metric counts the snapshots that runs published.
METRIC_NAMESPACES = "dynoexport/"
METRIC_SNAPSHOTS = "Snapshots"
METRIC_TABLE, METRIC_FORMAT = "Table", "Format"


def metric_namespace(table: str) -> str:
    """Each table has its own: a policy can limit a namespace, but not a metric or a dimension."""
    return f"{METRIC_NAMESPACES}{table}"


def fold(table: str) -> str:
    """The name as Athena and the Glue crawler write it: lower case, ``.`` and ``-`` as ``_``.

    >>> fold("My-Orders.v2")
    'my_orders_v2'
    """
    return re.sub(r"[^a-z0-9_]", "_", table.lower())


def snapshots_table(table: str, prefix: str = "") -> str:
    """The catalog table that holds all snapshots, one partition each."""
    return f"{prefix}{SNAPSHOTS_PREFIX}{fold(table)}"


def view(table: str, prefix: str = "") -> str:
    """The Athena view of the published snapshot."""
    return f"{prefix}{fold(table)}"


def data_prefix(table: str, fmt: str) -> str:
    return f"{fmt}/{table}/"


def snapshot_prefix(table: str, fmt: str, timestamp: str) -> str:
    return f"{data_prefix(table, fmt)}{PARTITION_KEY}={timestamp}/"


def manifest_prefix(table: str, fmt: str) -> str:
    return f"{MANIFESTS_PREFIX}{fmt}/{table}/"


def manifest_key(table: str, fmt: str, timestamp: str) -> str:
    return f"{manifest_prefix(table, fmt)}{timestamp}.json"


def claim_key(table: str, fmt: str, timestamp: str) -> str:
    """The run's claim on the minute of its snapshot, complete or not.

    It lies beside the manifests, where no lifecycle rule deletes it: it outlives a failed run's
    files.
    """
    return f"{manifest_prefix(table, fmt)}{timestamp}.claim"


def view_results_prefix(table: str, fmt: str) -> str:
    """Where Athena writes the results of this export's view job, apart from all other results."""
    return f"{ATHENA_RESULTS_PREFIX}views/{fmt}/{table}/"


def temp_prefix(table: str, fmt: str) -> str:
    return f"{TEMP_PREFIX}{fmt}/{table}/"
