"""dynoexport: DynamoDB tables in S3 and Athena, on a schedule, by AWS Glue Workflows alone.

What the command does, a program can do:

    >>> account = dynoexport.connect(region="us-east-1")  # doctest: +SKIP
    >>> dynoexport.deploy(account, "Reviews")  # doctest: +SKIP

The rooms, each importing only from those before it (a test reads the imports):

    jobs                    what runs inside AWS Glue; scripts/*.py are built from it
    errors, model, limits,  what can go wrong; the plain values; what AWS allows;
    durations               26h and 30d
    settings, naming        what a user can set; every name and S3 key
    workflow                what runs after what, what Glue would refuse of it, when it starts
    iam                     the policies of roles and people, and the reason for each permission
    cloudformation          the templates as typed Python, and their canonical text
    assets                  where templates and scripts lie, in a checkout or an installed wheel
    aws                     the edge: clients, stacks, queries, workflow runs, errors in one line
    storage                 snapshots in S3 and the catalog: manifests, files, what may go
    planning                what an export takes and costs, other ways, and whether it was true
    operations              what a user does, one module for each; prints nothing
    presentation            results for people and for programs: tables, JSON, plans, charts
    local                   an AWS endpoint on a laptop that really runs Glue Workflows
    cli                     parses, calls one function, prints

Inside ``jobs``: ``readers`` and ``scan`` read, ``schema`` decides the columns, ``write`` writes.
Inside ``local``: ``iam`` decides who may, ``services`` are what stands beside Glue, ``glue`` runs
workflows, ``cloudformation`` deploys stacks, ``runtime`` stands around a job's script.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynoexport.aws.account import Account, connect
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
    "Account": "aws.account",
    "DynoexportError": "errors",
    "connect": "aws.account",
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
