"""Whatever lies in the bucket and the database: no operation changes what dynoexport did not write.

Each example fills a bucket with snapshots of ours and of others, complete, damaged, half written or
half deleted, and with everything that may lie beside them. Then it runs one operation, which names
what it has left alone.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from foreign_world import (
    DATA,
    FMT,
    KINDS,
    OTHER,
    RUNS,
    STATES,
    TABLE,
    TEMP,
    TIMESTAMPS,
    World,
    run_of,
)
from hypothesis import HealthCheck, given, settings
from job_arguments import ARGUMENTS
from snapshot_bucket import EXPORT

import dynoexport
from dynoexport import DynoexportError, naming
from dynoexport.aws.exports import AmbiguousExport, NotExported
from dynoexport.jobs.export import export
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.publish import publish
from dynoexport.jobs.publish_settings import PublishSettings
from dynoexport.jobs.retention import apply_retention
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from foreign_world import Entries, State
    from snapshot_bucket import Store

    from dynoexport import Account

EXAMPLES = int(os.environ.get("DYNOEXPORT_INPUTS", "10"))
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
MANIFEST = naming.manifest_key(TABLE, FMT, OTHER)
# Those that the view job refuses to publish, and why, in the words of its error.
UNPUBLISHED = {
    "half written": f"{MANIFEST} is missing",
    "claimed only": f"{MANIFEST} is missing",
    "without its files": f"snapshot_timestamp={OTHER}/part-0 is missing",
    "manifest without items": f"{OTHER}.json is not a valid manifest",
    "adopted": f"the snapshot {OTHER} belongs to run ",
    "claimed, with a broken manifest": f"{OTHER}.json is not a valid manifest",
    "of another design": f"{MANIFEST} is missing",
    "with a broken manifest": f"{OTHER}.json is not a valid manifest",
    "with another table's manifest": f"{OTHER}.json is the manifest of another snapshot",
    "renamed": f"{OTHER}.json is the manifest of another snapshot",
    "nothing": f"{MANIFEST} is missing",
}
# Those that a retry of the export job refuses to write again.
UNWRITTEN = {
    "manifest without items": f"{OTHER}.json is not a valid manifest",
    "claimed, with a broken manifest": f"{OTHER}.json is not a valid manifest",
    "of another design": f"{DATA}snapshot_timestamp={OTHER}/",
    "with a broken manifest": f"{OTHER}.json is not a valid manifest",
    "with another table's manifest": f"{OTHER}.json is the manifest of another snapshot",
    "renamed": f"{OTHER}.json is the manifest of another snapshot",
}
ORDER = "their column 1 is 'book', in this snapshot it is 'user'"


@dataclass(frozen=True)
class Outcome:
    """What an operation did: what it returned or refused with, and what it has printed."""

    value: Any = None
    refusal: str = ""
    printed: str = ""
    # Whether there is no export, or several.
    nothing: bool = False


@dataclass(frozen=True)
class Case:
    """A state before and after an operation."""

    world: World
    state: State
    before: tuple[dict[str, tuple[int, str]], Entries]
    after: tuple[dict[str, tuple[int, str]], Entries]
    outcome: Outcome

    @property
    def foreign(self) -> dict[str, tuple[int, str]]:
        return {key: value for key, value in self.before[0].items() if key not in self.world.ours}

    def foreign_snapshots(self) -> dict[str, list[int]]:
        """The sizes of the files of each snapshot that dynoexport did not write."""
        found: dict[str, list[int]] = {}
        for timestamp in TIMESTAMPS:
            prefix = naming.snapshot_prefix(TABLE, FMT, timestamp)
            sizes = [size for key, (size, _) in self.before[0].items() if key.startswith(prefix)]
            if sizes and not KINDS[self.state.kinds[timestamp]][0]:
                found[timestamp] = sizes
        return found


# --- the jobs -------------------------------------------------------------------------------------
def retain(account: Account) -> None:
    """Delete expired snapshots as the view job does."""
    apply_retention(*job(account, "2026-06-01T00:00"), None, NOW)


def publish_newest(account: Account) -> None:
    """Publish the last snapshot as the view job of its run does, then delete expired ones."""
    clients, run = job(account, OTHER)
    shown = publish(clients, run, lambda _: None)
    apply_retention(clients, run, shown, NOW)


def job(account: Account, timestamp: str) -> tuple[Any, PublishSettings]:
    """The clients and settings of the view job in the run of the snapshot."""
    run = PublishSettings(
        table=TABLE,
        format=FMT,
        bucket=account.bucket,
        database=naming.DATABASE,
        catalog_prefix="",
        work_group=naming.WORK_GROUP,
        retention_days=1,
        timestamp=timestamp,
        workflow_run_id=run_of(timestamp),
    )
    return SimpleNamespace(athena=account.athena, glue=account.glue, s3=account.s3), run


def export_again(account: Account, reader: str) -> None:
    """Try the export of the last snapshot again; Glue cannot start Spark."""
    arguments = {
        **ARGUMENTS,
        "TableName": TABLE,
        "OutputFormat": FMT,
        "BucketName": account.bucket,
        "DatabaseName": naming.DATABASE,
        "ReadMode": reader,
        "WORKFLOW_NAME": RUNS,
        "WORKFLOW_RUN_ID": run_of(OTHER),
    }
    words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    clients: Any = SimpleNamespace(
        dynamodb=account.dynamodb, glue=account.glue, s3=account.s3, cloudwatch=account.cloudwatch
    )
    export(words, clients, no_spark, lambda: NOW)


def no_spark() -> Any:
    raise JobFailed(NO_SPARK)


NO_SPARK = "Spark does not start"
OPERATIONS: dict[str, Callable[[Account], object]] = {
    "prune, keep none": lambda account: dynoexport.prune(account, TABLE, keep=0),
    "prune, keep one": lambda account: dynoexport.prune(account, TABLE, keep=1),
    "prune by age": lambda account: dynoexport.prune(account, TABLE, older_than=timedelta(0)),
    "list": lambda account: dynoexport.snapshots(account, TABLE),
    "retention": retain,
    "view job": publish_newest,
    "export job": lambda account: export_again(account, "native"),
    "export job with the connector": lambda account: export_again(account, "connector"),
    "publish": lambda account: dynoexport.publish(account, TABLE, OTHER),
    "adopt": lambda account: dynoexport.adopt(account, TABLE),
    "adopt one": lambda account: dynoexport.adopt(account, TABLE, TIMESTAMPS[0]),
    "destroy": lambda account: dynoexport.destroy(account, TABLE),
    "destroy with data": lambda account: dynoexport.destroy(account, TABLE, data=True),
    "destroy with data by format": lambda account: dynoexport.destroy(
        account, TABLE, fmt=OutputFormat.CSV, data=True
    ),
}


# --- what holds afterwards ------------------------------------------------------------------------
def check_foreign(case: Case, operation: str) -> None:
    """Nothing foreign changes: objects, tables, views and partitions."""
    objects, entries = case.after
    assert {key: objects.get(key) for key in case.foreign} == case.foreign
    before = case.before[1]
    # Before retention, the view job has refused such a table.
    kept = {"mine", *([EXPORT.snapshots_table] if case.state.elsewhere else [])}
    for name in kept - ({EXPORT.snapshots_table} if operation == "retention" else set()):
        assert entries.tables[name] == before.tables[name]
        assert entries.partitions[name] == before.partitions[name]
    if case.state.view.startswith("somebody's"):
        assert entries.tables[EXPORT.view] == before.tables[EXPORT.view]
        assert not any(sql.startswith("CREATE") for sql in case.world.statements())
    if not case.state.elsewhere and "destroy" not in operation:
        for timestamp, place in case.state.partitions.items():
            if not KINDS[case.state.kinds[timestamp]][0] or place in {"elsewhere", "nowhere"}:
                left, found = (
                    side.partitions[EXPORT.snapshots_table].get(timestamp)
                    for side in (entries, before)
                )
                assert left == found


def check_done(case: Case) -> None:
    """Whatever else lies there is no reason to refuse."""
    assert case.outcome.refusal == ""


def check_prune(case: Case) -> None:
    """Temporary files and the snapshot that the view shows stay, too."""
    check_done(case)
    prefix = naming.snapshot_prefix(TABLE, FMT, TIMESTAMPS[1])
    marks = (
        naming.manifest_key(TABLE, FMT, TIMESTAMPS[1]),
        naming.claim_key(TABLE, FMT, TIMESTAMPS[1]),
    )
    stay = (TEMP, *((prefix, prefix[:-1], *marks) if case.state.view == "ours" else ()))
    stays = {key for key in case.world.ours if key.startswith(stay)}
    # A claim alone is no snapshot, so it is not the current one.
    if case.state.kinds[TIMESTAMPS[1]] == "claimed only":
        stays -= set(marks)
    assert case.after[0].keys() == case.foreign.keys() | stays


def check_list(case: Case) -> None:
    """What is not ours is shown with its true size."""
    check_done(case)
    found = {
        each.timestamp: (each.files, each.bytes) for each in case.outcome.value if each.foreign
    }
    wanted = {
        timestamp: (len(sizes), sum(sizes)) for timestamp, sizes in case.foreign_snapshots().items()
    }
    assert {timestamp: found.get(timestamp) for timestamp in wanted} == wanted
    assert case.after == case.before


def check_retention(case: Case) -> None:
    """It says what it has kept, and why."""
    check_done(case)
    for timestamp in case.foreign_snapshots():
        line = f"kept the snapshot {timestamp}: dynoexport did not write it"
        assert line in case.outcome.printed


def check_view_job(case: Case) -> None:
    """It has published the snapshot, or says why it did not."""
    kind, place = case.state.kinds[OTHER], case.state.partitions[OTHER]
    if kind in UNPUBLISHED:
        wanted = UNPUBLISHED[kind]
    elif case.state.elsewhere:
        wanted = "belongs to 's3://elsewhere/csv/Reviews/'"
    elif place == "elsewhere":
        wanted = f"lies at 's3://mine/moved/snapshot_timestamp={OTHER}/'"
    elif place == "nowhere":
        wanted = "lies at ''"
    elif case.state.view.startswith("somebody's"):
        wanted = f"{naming.DATABASE}.{EXPORT.view}"
    else:
        wanted = ORDER if case.outcome.refusal else ""
    assert wanted in case.outcome.refusal
    assert bool(wanted) == bool(case.outcome.refusal)
    if case.outcome.refusal:
        assert case.after[0] == case.before[0]


def check_export_job(case: Case) -> None:
    """It has found the snapshot complete, written nothing without Spark, or says why."""
    wanted = UNWRITTEN.get(case.state.kinds[OTHER])
    if case.state.elsewhere:
        wanted = "belongs to 's3://elsewhere/csv/Reviews/'"
    if wanted:
        assert wanted in case.outcome.refusal
        assert case.after == case.before
    elif case.outcome.refusal not in {"", NO_SPARK}:
        # The newest snapshot has the columns that this one begins with.
        assert naming.manifest_prefix(TABLE, FMT) in case.outcome.refusal
    changed = {key for key in case.before[0] if case.after[0].get(key) != case.before[0][key]}
    own = naming.snapshot_prefix(TABLE, FMT, OTHER)
    allowed = (own, own[:-1], MANIFEST, f"{TEMP}{run_of(OTHER)}/")
    assert all(key.startswith(allowed) for key in changed)


def check_publish(case: Case) -> None:
    """It names the snapshot, the table, the partition or the view that stands in the way."""
    refusal = case.outcome.refusal
    names = (OTHER, EXPORT.snapshots_table, f"{naming.DATABASE}.{EXPORT.view}")
    assert not refusal or any(name in refusal for name in names)
    assert case.after == case.before


def check_adopt(case: Case) -> None:
    """What was in its place stays; a snapshot that is adopted gets a manifest beside it."""
    objects, outcome = case.after[0], case.outcome
    assert {key: objects[key] for key in case.before[0]} == case.before[0]
    adopted = objects.keys() - case.before[0].keys()
    foreign = case.foreign_snapshots()
    assert adopted <= {naming.manifest_key(TABLE, FMT, timestamp) for timestamp in foreign}
    if outcome.refusal:
        assert any(name in outcome.refusal for name in (EXPORT.snapshots_table, *TIMESTAMPS))
        return
    named = {each.folder: each.reason for each in outcome.value.refused}
    named |= {each.timestamp: "adopted" for each in outcome.value.snapshots}
    assert all(named.values())
    assert adopted == {
        naming.manifest_key(TABLE, FMT, each.timestamp) for each in outcome.value.snapshots
    }


def check_adopt_all(case: Case) -> None:
    check_adopt(case)
    if not case.outcome.refusal:
        named = {each.folder for each in case.outcome.value.refused}
        named |= {each.timestamp for each in case.outcome.value.snapshots}
        assert set(case.foreign_snapshots()) <= named


def check_destroy_data(case: Case) -> None:
    """Nothing else is left; what stays is shown with its true size."""
    check_done(case)
    assert case.after[0].keys() == case.foreign.keys()
    prefixes = (DATA, naming.manifest_prefix(TABLE, FMT), TEMP)
    below = {key: size for key, (size, _) in case.foreign.items() if key.startswith(prefixes)}
    shown = case.outcome.value.foreign
    assert sum(each.objects for each in shown) == len(below)
    assert sum(each.bytes for each in shown) == sum(below.values())
    assert all(key.startswith(tuple(each.prefix for each in shown)) for key in below)


CHECKS: dict[str, Callable[[Case], None]] = {
    "prune, keep none": check_prune,
    "list": check_list,
    "retention": check_retention,
    "view job": check_view_job,
    "export job": check_export_job,
    "export job with the connector": check_export_job,
    "publish": check_publish,
    "adopt": check_adopt_all,
    "adopt one": check_adopt,
    "destroy with data": check_destroy_data,
    "destroy with data by format": check_destroy_data,
}


@pytest.fixture
def world(store: Store) -> World:
    made = World(store.account)
    made.prepare()
    return made


def attempt(operation: Callable[[Account], object], account: Account) -> Outcome:
    """Run it; a refusal is one of the errors that say what is wrong."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            value = operation(account)
        except (AmbiguousExport, NotExported) as error:
            return Outcome(refusal=str(error), nothing=True)
        except (DynoexportError, JobFailed) as error:
            return Outcome(refusal=str(error), printed=printed.getvalue())
    return Outcome(value, printed=printed.getvalue())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_changes_what_dynoexport_did_not_write(world: World, operation: str) -> None:
    """And ``destroy --data`` and ``prune --keep 0`` leave nothing else."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(state=STATES)
    def check(state: State) -> None:
        world.make(state)
        before = world.objects(), world.entries()
        outcome = attempt(OPERATIONS[operation], world.account)
        case = Case(world, state, before, (world.objects(), world.entries()), outcome)
        if outcome.nothing:
            assert TABLE in outcome.refusal
            assert case.after == before
        else:
            check_foreign(case, operation)
            CHECKS.get(operation, check_done)(case)

    check()
