"""dynoexport: DynamoDB tables in S3 and Athena, on a schedule, by AWS Glue Workflows alone.

What the command does, a program can do:

    >>> account = dynoexport.connect(region="us-east-1")  # doctest: +SKIP
    >>> dynoexport.deploy(account, "Reviews")  # doctest: +SKIP

The layers, each importing only from those before it (a test reads the imports):

    jobs                    what runs inside AWS Glue; scripts/*.py are built from it
    errors, model, limits   what can go wrong; the plain values; what AWS allows
    settings, selection,    what a user can set; lists of attributes;
    naming,                 every name and S3 key; when a schedule fires;
    schedule, pipeline      the one description of export -> crawl -> publish
    durations, graph        26h and 30d; what AWS Glue would refuse about a workflow
    output_files            files that a user names to be written
    grants, policies,       IAM statements; the policy of each role, least privilege; the policies
    callers, permissions    of people; why each permission is there
    stacks                  the templates as typed Python, and their canonical text
    assets                  where templates and scripts lie, in a checkout or an installed wheel
    aws, aws_errors         clients of an account and region; what AWS refuses, in one line
    manifests, part_files,  what marks a snapshot complete; its files, read again
    workflow_runs, prices,  a workflow run and its outcome; what it costs
    table_facts, plan,      what is known of a table; what its export would take and cost
    consumption             what others read of it, without our own runs
    sizing, alternatives    the job that suits a table; other ways to its data, and their cost
    actuals                 a run's figures against its plan
    change_sets, queries    a stack; a query
    views, exports,         the SQL of a view; the exports of an account, found by their tags
    snapshot_store          their snapshots in S3 and the catalog
    operations              what a user does, one module for each
    records, display,       results for programs; for people;
    plan_text, charts,      a plan for people; lines of a chart, placed;
    plan_html               a plan as a page
    local                   an AWS endpoint on a laptop that really runs Glue Workflows
    cli                     parses, calls one function, prints
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynoexport.aws import Account, connect
    from dynoexport.errors import DynoexportError
    from dynoexport.operations.deploy import deploy
    from dynoexport.operations.destroy import destroy
    from dynoexport.operations.doctor import doctor
    from dynoexport.operations.init import init
    from dynoexport.operations.logs import logs
    from dynoexport.operations.plan import plans
    from dynoexport.operations.query import query, rows
    from dynoexport.operations.run import disable, enable, explain, run, runs, stop, watch
    from dynoexport.operations.snapshots import prune, publish, snapshots
    from dynoexport.operations.status import status
    from dynoexport.operations.verify import verify

__version__ = "0.1.0"

__all__ = [
    "Account",
    "DynoexportError",
    "connect",
    "deploy",
    "destroy",
    "disable",
    "doctor",
    "enable",
    "explain",
    "init",
    "logs",
    "plans",
    "prune",
    "publish",
    "query",
    "rows",
    "run",
    "runs",
    "snapshots",
    "status",
    "stop",
    "verify",
    "watch",
]

_PLACES = {
    "Account": "aws",
    "DynoexportError": "errors",
    "connect": "aws",
    "disable": "operations.run",
    "enable": "operations.run",
    "explain": "operations.run",
    "plans": "operations.plan",
    "prune": "operations.snapshots",
    "publish": "operations.snapshots",
    "rows": "operations.query",
    "runs": "operations.run",
    "stop": "operations.run",
    "watch": "operations.run",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: ``import dynoexport`` alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_PLACES.get(name, f'operations.{name}')}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
