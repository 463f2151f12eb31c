"""dynoexport: export DynamoDB tables to S3 and Athena on a schedule, with AWS Glue Workflows alone.

A program can do everything that the command does:

    >>> account = dynoexport.connect(region="us-east-1")  # doctest: +SKIP
    >>> dynoexport.deploy(account, "Reviews")  # doctest: +SKIP

The rooms, each importing only from those before it (a test reads the imports):

    jobs                    what runs inside AWS Glue; scripts/*.py are built from it
    errors, model, limits,  what can go wrong; the plain values; what AWS allows;
    units                   sizes, counts, durations, rates and dollars as people write them
    settings, naming        what a user can set; every name and S3 key
    workflow                the order of the nodes, what Glue would refuse, when a run starts
    iam                     the policies of roles and people, and the reason for each permission
    cloudformation          the templates as typed Python, and their canonical text
    assets                  where templates and scripts are, in a checkout or an installed wheel
    aws                     the edge: clients, stacks, queries, workflow runs, errors in one line
    storage                 snapshots in S3 and the catalog: manifests, files, deletion
    planning                time and cost of an export, alternatives, plan against real run
    operations              the commands as functions, one module each; they print nothing
    presentation            results for people and for programs: tables, JSON, plans, charts
    local                   an AWS endpoint on a laptop that really runs Glue Workflows
    cli                     parses, calls one function, prints

Inside ``jobs``: ``readers`` and ``scan`` read, ``schema`` decides the columns, ``write`` writes.
Inside ``cloudformation``: ``options`` has a module for each thing that a user can choose.
Inside ``local``: ``iam`` decides who may do what, ``services`` has the services beside Glue,
``glue`` runs workflows, ``cloudformation`` deploys stacks, ``runtime`` surrounds a job's script.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynoexport.assets import AssetMissing
    from dynoexport.aws.account import Account, EndpointRefused, NoRegion, NotAws, connect
    from dynoexport.aws.athena import Execution, QueryFailed
    from dynoexport.aws.change_sets import Change, ChangeSet, Declined, DeployFailed, Event, NoStack
    from dynoexport.aws.errors import AwsFailed
    from dynoexport.aws.exports import AmbiguousExport, NotExported
    from dynoexport.aws.workflow_runs import Attempt, Node, Run, RunFailed
    from dynoexport.cloudformation.check import ParameterRefused
    from dynoexport.cloudformation.predicate import PredicateRefused
    from dynoexport.cloudformation.selection import SelectionRefused
    from dynoexport.errors import DynoexportError, GraphRefused, NameRefused, ScheduleRefused
    from dynoexport.model import (
        CatalogUpdate,
        Compression,
        GlueVersion,
        MapsAs,
        OutputFormat,
        ReadMode,
        TypeConflicts,
        WorkerType,
    )
    from dynoexport.operations.adopt import (
        Adopted,
        AdoptedSnapshot,
        AdoptionPlan,
        AdoptionRefused,
        NotAdopted,
        adopt,
    )
    from dynoexport.operations.checks import GlueVersionEnded, NoRecovery, SettingsRefused
    from dynoexport.operations.deploy import Deployment, NotInitialized, SizingResult, deploy
    from dynoexport.operations.destroy import Foreign, Inventory, destroy
    from dynoexport.operations.doctor import Check, doctor
    from dynoexport.operations.init import Initialized, init
    from dynoexport.operations.logs import LogLine, follow_logs, logs, tail_logs
    from dynoexport.operations.plan import (
        NotDescribed,
        Planned,
        parse_request,
        plans,
        plans_described,
    )
    from dynoexport.operations.query import PlaceholderRefused, query, rows
    from dynoexport.operations.run import (
        PropertyRefused,
        RunRefused,
        Schedule,
        disable,
        enable,
        explain,
        find_run,
        run,
        runs,
        stop,
        watch,
    )
    from dynoexport.operations.snapshots import (
        Pruned,
        Published,
        SnapshotRefused,
        prune,
        publish,
        snapshots,
    )
    from dynoexport.operations.status import ExportStatus, status
    from dynoexport.operations.tables import NoTable
    from dynoexport.operations.verify import Verification, verify
    from dynoexport.planning.alternatives import Alternative
    from dynoexport.planning.explain import Explanation, Figure, Reason
    from dynoexport.planning.plan import Bound, Cost, Estimate
    from dynoexport.planning.prices import PricesRefused
    from dynoexport.planning.sizing import Choice, PlanRequest, Recommendation
    from dynoexport.planning.table_facts import (
        Consumption,
        DescriptionRefused,
        TableFacts,
        TableRefused,
    )
    from dynoexport.storage.manifests import ManifestBroken
    from dynoexport.storage.snapshot_store import DeleteFailed, Snapshot

__version__ = "0.1.0"

__all__ = [
    "Account",
    "Adopted",
    "AdoptedSnapshot",
    "AdoptionPlan",
    "AdoptionRefused",
    "Alternative",
    "AmbiguousExport",
    "AssetMissing",
    "Attempt",
    "AwsFailed",
    "Bound",
    "CatalogUpdate",
    "Change",
    "ChangeSet",
    "Check",
    "Choice",
    "Compression",
    "Consumption",
    "Cost",
    "Declined",
    "DeleteFailed",
    "DeployFailed",
    "Deployment",
    "DescriptionRefused",
    "DynoexportError",
    "EndpointRefused",
    "Estimate",
    "Event",
    "Execution",
    "Explanation",
    "ExportStatus",
    "Figure",
    "Foreign",
    "GlueVersion",
    "GlueVersionEnded",
    "GraphRefused",
    "Initialized",
    "Inventory",
    "LogLine",
    "ManifestBroken",
    "MapsAs",
    "NameRefused",
    "NoRecovery",
    "NoRegion",
    "NoStack",
    "NoTable",
    "Node",
    "NotAdopted",
    "NotAws",
    "NotDescribed",
    "NotExported",
    "NotInitialized",
    "OutputFormat",
    "ParameterRefused",
    "PlaceholderRefused",
    "PlanRequest",
    "Planned",
    "PredicateRefused",
    "PricesRefused",
    "PropertyRefused",
    "Pruned",
    "Published",
    "QueryFailed",
    "ReadMode",
    "Reason",
    "Recommendation",
    "Run",
    "RunFailed",
    "RunRefused",
    "Schedule",
    "ScheduleRefused",
    "SelectionRefused",
    "SettingsRefused",
    "SizingResult",
    "Snapshot",
    "SnapshotRefused",
    "TableFacts",
    "TableRefused",
    "TypeConflicts",
    "Verification",
    "WorkerType",
    "adopt",
    "connect",
    "deploy",
    "destroy",
    "disable",
    "doctor",
    "enable",
    "explain",
    "find_run",
    "follow_logs",
    "init",
    "logs",
    "parse_request",
    "plans",
    "plans_described",
    "prune",
    "publish",
    "query",
    "rows",
    "run",
    "runs",
    "snapshots",
    "status",
    "stop",
    "tail_logs",
    "verify",
    "watch",
]

# The module of each name.
_MODULES = {
    "aws.account": ("Account", "EndpointRefused", "NoRegion", "NotAws", "connect"),
    "aws.athena": ("Execution", "QueryFailed"),
    "aws.change_sets": ("Change", "ChangeSet", "Declined", "DeployFailed", "Event", "NoStack"),
    "aws.errors": ("AwsFailed",),
    "aws.exports": ("AmbiguousExport", "NotExported"),
    "aws.workflow_runs": ("Attempt", "Node", "Run", "RunFailed"),
    "cloudformation.check": ("ParameterRefused",),
    "cloudformation.predicate": ("PredicateRefused",),
    "cloudformation.selection": ("SelectionRefused",),
    "assets": ("AssetMissing",),
    "errors": ("DynoexportError", "GraphRefused", "NameRefused", "ScheduleRefused"),
    "model": (
        "CatalogUpdate",
        "Compression",
        "GlueVersion",
        "MapsAs",
        "OutputFormat",
        "ReadMode",
        "TypeConflicts",
        "WorkerType",
    ),
    "operations.adopt": (
        "Adopted",
        "AdoptedSnapshot",
        "AdoptionPlan",
        "AdoptionRefused",
        "NotAdopted",
        "adopt",
    ),
    "operations.checks": ("GlueVersionEnded", "NoRecovery", "SettingsRefused"),
    "operations.deploy": ("Deployment", "NotInitialized", "SizingResult", "deploy"),
    "operations.destroy": ("Foreign", "Inventory", "destroy"),
    "operations.doctor": ("Check", "doctor"),
    "operations.init": ("Initialized", "init"),
    "operations.logs": ("LogLine", "follow_logs", "logs", "tail_logs"),
    "operations.plan": ("NotDescribed", "Planned", "plans", "plans_described", "parse_request"),
    "operations.query": ("PlaceholderRefused", "query", "rows"),
    "operations.run": (
        "PropertyRefused",
        "RunRefused",
        "Schedule",
        "disable",
        "enable",
        "explain",
        "find_run",
        "run",
        "runs",
        "stop",
        "watch",
    ),
    "operations.snapshots": (
        "Pruned",
        "Published",
        "SnapshotRefused",
        "prune",
        "publish",
        "snapshots",
    ),
    "operations.status": ("ExportStatus", "status"),
    "operations.tables": ("NoTable",),
    "operations.verify": ("Verification", "verify"),
    "planning.explain": ("Explanation", "Figure", "Reason"),
    "planning.alternatives": ("Alternative",),
    "planning.plan": ("Bound", "Cost", "Estimate"),
    "planning.prices": ("PricesRefused",),
    "planning.sizing": ("Choice", "Recommendation", "PlanRequest"),
    "planning.table_facts": ("Consumption", "DescriptionRefused", "TableFacts", "TableRefused"),
    "storage.manifests": ("ManifestBroken",),
    "storage.snapshot_store": ("DeleteFailed", "Snapshot"),
}


def __getattr__(name: str) -> object:
    """Import a name on first use, so that ``import dynoexport`` alone is fast."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
