"""The steps of an acceptance run: deploy, run, compare, and what a user does later."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import acceptance_cells as cells
import acceptance_facts as facts
import acceptance_names as names
import expected
from acceptance_cleanup import policy_for
from acceptance_facts import Finding, Outcome
from acceptance_names import RETRIED, Case
from acceptance_report import Report, Step
from botocore.exceptions import BotoCoreError, ClientError
from hard_items import hard_items

import dynoexport
from dynoexport import assets, naming, settings
from dynoexport.aws import athena, change_sets, workflow_runs
from dynoexport.errors import DynoexportError
from dynoexport.jobs.s3 import read_object
from dynoexport.model import OutputFormat, ReadMode
from dynoexport.operations import imports

if TYPE_CHECKING:
    from collections.abc import Callable

    from expected import Item

    from dynoexport import Account

# The troubles that Athena's text shows without a doubt; the judges compare all of them.
TROUBLES = (
    "csv_line_breaks_and_quotes",
    "emoji_and_scripts",
    "lists_of_structs",
    "names_that_differ_by_case",
    "numbers_like_text",
    "numbers_of_38_digits",
    "numbers_of_64_bits",
    "only_null",
    "reserved_words",
    "scalars_of_several_types",
    "sets",
)
WORKERS = "2"
# A snapshot of this minute is long expired.
OLD = "2020-01-01T00:00"
_FAIL_ONCE = """
whole_put_manifest = put_manifest


def put_manifest(s3, places, manifest):
    died = "{key}"
    if not exists(s3, places.bucket, died):
        s3.put_object(Bucket=places.bucket, Key=died, Body=b"once")
        raise RuntimeError("the first attempt fails on purpose")
    whole_put_manifest(s3, places, manifest)


if __name__ == "__main__":"""
_MESSAGE_MINUTES = 5


class NotReached(Exception):
    """A step that cannot be tried here."""


@dataclass
class Trial:
    """One acceptance run.

    Attributes:
        cases: the exports to try.
        email: whom the common stack notifies, if this run creates it.
        made_common: whether this run has created the common stack.
    """

    account: Account
    run: str
    report: Report
    say: Callable[[str], None]
    cases: tuple[Case, ...]
    email: str | None = None
    made_common: bool = False
    items: list[Item] = field(default_factory=lambda: items_of(TROUBLES))

    def table(self, case: Case) -> str:
        return names.table(self.run, case.name)

    def step(self, name: str, action: Callable[[], str]) -> bool:
        """Try the step; return whether it passed. Its result or error is its detail."""
        self.say(name)
        try:
            self.report.steps.append(Step(name, passed=True, detail=action()))
        except NotReached as reason:
            self.report.steps.append(Step(name, passed=None, detail=str(reason)))
        except (DynoexportError, ClientError, BotoCoreError, AssertionError) as error:
            self.report.steps.append(Step(name, passed=False, detail=str(error)))
            self.say(f"  failed: {error}")
        return self.report.steps[-1].passed is True

    def saw(self, fact: str, outcome: Outcome, what: str) -> None:
        self.report.findings.append(Finding(fact, outcome, what))


def items_of(troubles: tuple[str, ...]) -> list[Item]:
    """Items with these troubles."""
    return [item for item in hard_items() if item["id"]["S"].rpartition(" ")[0] in troubles]


def tried(trial: Trial) -> None:
    """Try all steps, except those that depend on a failed one."""
    if not trial.step(
        "create the common stack, or use the one that exists", partial(common, trial)
    ):
        return
    trial.step("import what a deleted common stack keeps", partial(imported_again, trial))
    whole = exported(trial)
    for case in whole:
        trial.step(f"compare: {case}", partial(compared, trial, case))
    for case in [candidate for candidate in whole if is_exact(candidate)][:1]:
        trial.step("second snapshot, and retention of an old one", partial(second, trial, case))
        trial.step("publish the older snapshot again", partial(rolled_back, trial, case))
    if trial.step(f"deploy a job that fails once: {RETRIED}", partial(deployed_to_fail, trial)):
        trial.step("retry after a failed attempt", partial(retried, trial))
        trial.step("notification of a run that fails", partial(notified, trial))


def exported(trial: Trial) -> list[Case]:
    """Deploy all exports, run them side by side, and return those with a snapshot."""
    ready = [
        case
        for case in trial.cases
        if trial.step(f"deploy: {case}", partial(deployed, trial, case))
    ]
    runs = {case: started(trial, case) for case in ready}
    return [
        case for case in ready if trial.step(f"run: {case}", partial(ran, trial, case, runs[case]))
    ]


def is_exact(case: Case) -> bool:
    """Whether its view shows the items without a change."""
    return case.format.queryable and case.reader is not ReadMode.CONNECTOR


# --- deploy ---------------------------------------------------------------------------------------
def common(trial: Trial) -> str:
    account = trial.account
    stack = change_sets.describe(account.cloudformation, settings.DEFAULT_COMMON_STACK)
    if stack is not None and "BucketName" in change_sets.read_outputs(stack):
        try:
            dynoexport.init(account, approve=lambda _: False)
        except change_sets.Declined:
            raise AssertionError("it is of another version: run dynoexport init") from None
        return "it exists: used, and left as it is"
    if stack is not None and not change_sets.is_only_a_name(stack):
        raise AssertionError(f"stack {stack['StackName']} is {stack['StackStatus']}")
    # What is there before the mark is not this run's.
    if imports.find(account, settings.DEFAULT_COMMON_STACK, replace_policy=True):
        raise AssertionError("its bucket or its database exists: import them with dynoexport init")
    create_table(trial, names.table(trial.run, names.COMMON), [])
    given = {settings.NOTIFICATION_EMAIL: trial.email} if trial.email else {}
    done = dynoexport.init(account, parameters=given)
    trial.made_common = True
    return f"created, with the bucket {done.bucket}"


def imported_again(trial: Trial) -> str:
    """Delete the common stack, and create it again from its bucket and database."""
    if not trial.made_common:
        raise NotReached("the common stack is not of this run")
    if trial.email:
        raise NotReached("its email address would have to be confirmed again")
    account = trial.account
    change_sets.delete(account.cloudformation, settings.DEFAULT_COMMON_STACK, pause=account.pause)
    try:
        done = dynoexport.init(account)
    except change_sets.DeployFailed as error:
        trial.saw(facts.IMPORT, Outcome.REFUTED, str(error))
        raise
    if done.imported != (account.bucket, naming.DATABASE):
        raise AssertionError(f"imported: {', '.join(done.imported) or 'nothing'}")
    if done.uploaded:
        raise AssertionError("the job scripts were not in the bucket any more")
    trial.saw(facts.IMPORT, Outcome.CONFIRMED, " and ".join(done.imported))
    return f"imported {' and '.join(done.imported)}"


def create_table(trial: Trial, name: str, items: list[Item], *, recovery: bool = False) -> None:
    dynamodb = trial.account.dynamodb
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": names.TAG, "Value": trial.run}],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    for item in items:
        dynamodb.put_item(TableName=name, Item=item)
    if recovery:
        turn_on_recovery(trial, name)


def turn_on_recovery(trial: Trial, name: str) -> None:
    """Turn on point-in-time recovery, which a new table refuses for some seconds.

    https://github.com/scalar-labs/scalardb/pull/347
    """
    dynamodb, until = trial.account.dynamodb, time.monotonic() + 60 * _MESSAGE_MINUTES
    while True:
        try:
            dynamodb.update_continuous_backups(
                TableName=name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        except dynamodb.exceptions.ContinuousBackupsUnavailableException:
            if time.monotonic() > until:
                raise
            time.sleep(trial.account.pause)
        else:
            return


def deployed(trial: Trial, case: Case, **parameters: str) -> str:
    table = trial.table(case)
    recovery = case.reader is ReadMode.EXPORT
    create_table(trial, table, trial.items, recovery=recovery)
    given = {
        settings.READ_MODE: case.reader.value,
        settings.GLUE_VERSION: case.glue_version.value,
        settings.NUMBER_OF_WORKERS: WORKERS,
        settings.ENGINE: case.engine.value,
        settings.CATALOG_UPDATE: "direct" if case.is_python else "crawler",
        **parameters,
    }
    if case.is_python:
        spark = {**given, settings.ENGINE: settings.DEFAULT_ENGINE.value}
        dynoexport.deploy(trial.account, table, fmt=case.format, parameters=spark)
    (done,) = dynoexport.deploy(trial.account, table, fmt=case.format, parameters=given)
    if case.is_python:
        trial.saw(facts.SWITCH, Outcome.CONFIRMED, f"{done.outcome} from Spark")
    return f"stack {done.stack}"


# --- run ------------------------------------------------------------------------------------------
def started(trial: Trial, case: Case, **properties: str) -> str | None:
    """Start a run as the console does; return its ID. The start trigger was never activated."""
    workflow = naming.workflow(trial.table(case), case.format.value, scheduled=False)
    try:
        answer = trial.account.glue.start_workflow_run(Name=workflow, RunProperties=properties)
    except ClientError as error:
        trial.saw(facts.UNSCHEDULED_START, Outcome.REFUTED, str(error))
        return None
    return answer["RunId"]


def ended(trial: Trial, case: Case, run: str | None) -> workflow_runs.Run:
    if run is None:
        raise NotReached("its run did not start")
    workflow = naming.workflow(trial.table(case), case.format.value, scheduled=False)
    *_, last = workflow_runs.watch(trial.account.glue, workflow, run, seconds=trial.account.pause)
    return last


def ran(trial: Trial, case: Case, run: str | None) -> str:
    """Wait for the run, which has to succeed."""
    last = ended(trial, case, run)
    if last.started_nothing:
        trial.saw(facts.UNSCHEDULED_START, Outcome.REFUTED, f"{case.name}: no node started")
    workflow_runs.require_success(last)
    trial.saw(facts.UNSCHEDULED_START, Outcome.CONFIRMED, f"{case.name}: it started")
    trial.saw(facts.TRUST, Outcome.CONFIRMED, "jobs and crawlers ran under their roles")
    trial.saw(facts.FILE_OF_ARGUMENTS, Outcome.CONFIRMED, "both jobs read their arguments")
    if case.format is not OutputFormat.XML:
        trial.saw(facts.VIEW, Outcome.CONFIRMED, f"{case.name}: the view job's role sufficed")
    if case.is_python:
        trial.saw(facts.LIBRARIES, Outcome.CONFIRMED, measured(trial, last))
    elif case.reader is ReadMode.NATIVE:
        trial.saw(facts.LISTENER, Outcome.CONFIRMED, f"Glue {case.glue_version.value}")
    if case.reader is ReadMode.EXPORT:
        look_for_checksums(trial, last)
    if last.items != len(trial.items):
        raise AssertionError(f"{last.items} items instead of {len(trial.items)}")
    seconds = ", ".join(f"{node.name} {node.seconds:.0f} s" for node in last.nodes)
    return f"{last.items} items; {seconds}"


def measured(trial: Trial, last: workflow_runs.Run) -> str:
    """What the job without Spark ran on, and how much memory it had."""
    lines = [line.message for line in dynoexport.logs(trial.account, last, node=last.nodes[0].name)]
    found = [line for line in lines if re.search(r" Python \d|MiB of memory", line)]
    return "; ".join(re.sub(r"^\S+Z ", "", line).strip() for line in found)


def look_for_checksums(trial: Trial, last: workflow_runs.Run) -> None:
    """The export job logs a line for each manifest of DynamoDB that has no checksum."""
    lines = [line.message for line in dynoexport.logs(trial.account, last, node=last.nodes[0].name)]
    missing = [line for line in lines if "no checksum file" in line]
    outcome = Outcome.REFUTED if missing else Outcome.CONFIRMED
    trial.saw(facts.CHECKSUMS, outcome, missing[0] if missing else "both manifests were verified")


def newest_manifest(trial: Trial, case: Case) -> dict[str, Any]:
    newest = dynoexport.snapshots(trial.account, trial.table(case))[0].timestamp
    key = naming.manifest_key(trial.table(case), case.format.value, newest)
    found: dict[str, Any] = json.loads(
        read_object(trial.account.s3, trial.account.bucket, key) or b"{}"
    )
    return found


# --- compare --------------------------------------------------------------------------------------
def answer_of(trial: Trial, table: str) -> athena.Result:
    execution = dynoexport.query(trial.account, table, "SELECT * FROM {view}")
    result_pages = list(athena.pages(trial.account.athena, execution))
    columns = result_pages[0][0]
    return athena.Result(
        execution.query_id,
        tuple(column.name for column in columns),
        tuple(column.type for column in columns),
        tuple(row for _, rows in result_pages for row in rows),
    )


def compared(trial: Trial, case: Case) -> str:
    """Compare every cell of the view, or the files of xml, which Athena cannot read."""
    table = trial.table(case)
    if not case.format.queryable:
        checked = dynoexport.verify(trial.account, table)
        if checked.faults:
            raise AssertionError("; ".join(checked.faults))
        return "files match the manifest"
    answer = answer_of(trial, table)
    if case.reader is ReadMode.CONNECTOR:
        return compared_with_connector(trial, case, answer)
    faults = cells.differences(trial.items, answer, case.format.value)
    if faults:
        trial.saw(facts.NESTED, Outcome.NOT_REACHED, "cells differ")
        raise AssertionError(f"{len(faults)} differences, the first: {faults[0]}")
    if case.format.value == "avro":
        trial.saw(facts.DECIMALS, Outcome.CONFIRMED, "all decimals are the items'")
    if case.format.value != "csv":
        trial.saw(facts.NESTED, Outcome.CONFIRMED, f"{case.name}: all nested cells")
    return f"{len(answer.rows) * len(answer.columns)} cells are right"


def compared_with_connector(trial: Trial, case: Case, answer: athena.Result) -> str:
    """A changed value is a finding, not a failure. A lost row is a failure."""
    if len(answer.rows) != len(trial.items):
        raise AssertionError(f"{len(answer.rows)} rows instead of {len(trial.items)}")
    exact = cells.differences(trial.items, answer, case.format.value)
    lossy = [expected.through_connector(item) for item in trial.items]
    promised = cells.differences(lossy, answer, case.format.value)
    if not exact:
        trial.saw(facts.CONNECTOR, Outcome.REFUTED, "no value was changed")
    else:
        seen = f"{len(exact)} cells changed"
        if promised:
            seen += f", {len(promised)} not as documented, the first: {promised[0]}"
        trial.saw(facts.CONNECTOR, Outcome.CONFIRMED, seen)
    return f"{len(answer.rows)} rows; {len(exact)} cells are not the items'"


# --- later ----------------------------------------------------------------------------------------
def second(trial: Trial, case: Case) -> str:
    """A run after changes; it also deletes a snapshot that has expired long ago."""
    table = trial.table(case)
    plant_old_snapshot(trial, case)
    gone, *kept = trial.items
    trial.account.dynamodb.delete_item(TableName=table, Key={"id": gone["id"]})
    run = started(trial, case, **{settings.RETENTION_DAYS: "365"})
    last = ended(trial, case, run)
    workflow_runs.require_success(last)
    faults = cells.differences(kept, without_gone(answer_of(trial, table), kept), case.format.value)
    if faults:
        raise AssertionError(f"{len(faults)} differences, the first: {faults[0]}")
    left = [snapshot.timestamp for snapshot in dynoexport.snapshots(trial.account, table)]
    if OLD in left or len(left) != 2:
        raise AssertionError(f"the snapshots are {', '.join(left)}")
    return f"{len(kept)} rows, {OLD} was deleted"


def without_gone(answer: athena.Result, items: list[Item]) -> athena.Result:
    """The answer without the empty columns of attributes that no item has any more."""
    known = {column.name for column in expected.columns(items, expected.Rules())}
    keep = [number for number, name in enumerate(answer.columns) if name in known]
    return replace(
        answer,
        columns=tuple(answer.columns[number] for number in keep),
        types=tuple(answer.types[number] for number in keep),
        rows=tuple(tuple(row[number] for number in keep) for row in answer.rows),
    )


def plant_old_snapshot(trial: Trial, case: Case) -> None:
    """A copy of the newest snapshot, as if it had been written long ago."""
    s3, bucket, table = trial.account.s3, trial.account.bucket, trial.table(case)
    manifest = newest_manifest(trial, case)
    before = naming.snapshot_prefix(table, case.format.value, manifest["snapshot_timestamp"])
    after = naming.snapshot_prefix(table, case.format.value, OLD)
    for file in manifest["files"]:
        source = {"Bucket": bucket, "Key": file["key"]}
        file["key"] = after + file["key"].removeprefix(before)
        copied = s3.copy_object(Bucket=bucket, Key=file["key"], CopySource=source)  # type: ignore[arg-type]
        file["etag"] = copied["CopyObjectResult"]["ETag"].strip('"')
    manifest["snapshot_timestamp"] = OLD
    key = naming.manifest_key(table, case.format.value, OLD)
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(manifest).encode())


def rolled_back(trial: Trial, case: Case) -> str:
    table = trial.table(case)
    newer, older = (listed.timestamp for listed in dynoexport.snapshots(trial.account, table))
    for snapshot, rows in ((older, len(trial.items)), (newer, len(trial.items) - 1)):
        dynoexport.publish(trial.account, table, snapshot)
        found = len(answer_of(trial, table).rows)
        if found != rows:
            raise AssertionError(f"{snapshot} shows {found} rows instead of {rows}")
    return f"{older} and back to {newer}"


def deployed_to_fail(trial: Trial) -> str:
    """Deploy an export whose job fails once, after it has written all but the manifest."""
    version, table = names.scripts_version(trial.run), trial.table(RETRIED)
    died = f"{naming.temp_prefix(table, RETRIED.format.value)}died"
    export = assets.script(naming.EXPORT_SCRIPT).replace(
        '\nif __name__ == "__main__":', _FAIL_ONCE.format(key=died)
    )
    for script, text in (
        (naming.EXPORT_SCRIPT, export),
        (naming.VIEW_SCRIPT, assets.script(naming.VIEW_SCRIPT)),
    ):
        key = naming.script_key(script, version)
        trial.account.s3.put_object(Bucket=trial.account.bucket, Key=key, Body=text.encode())
    given = {settings.SCRIPTS_VERSION: version, settings.MAX_RETRIES: "1"}
    outputs = change_sets.outputs(trial.account.cloudformation, settings.DEFAULT_COMMON_STACK)
    if "TopicArn" in outputs:
        given[settings.NOTIFY_ON_FAILURE] = "true"
    return deployed(trial, RETRIED, **given)


def retried(trial: Trial) -> str:
    last = ended(trial, RETRIED, started(trial, RETRIED))
    attempts = len(last.nodes[0].attempts)
    counted = ", ".join(f"{name} {count}" for name, count in last.statistics.items() if count)
    seen = f"{attempts} attempts, {last.status}, {counted}"
    outcome = Outcome.CONFIRMED if last.succeeded and attempts == 2 else Outcome.REFUTED
    trial.saw(facts.RETRY, outcome, seen)
    workflow_runs.require_success(last)
    if attempts != 2:
        raise AssertionError(seen)
    rows = len(answer_of(trial, trial.table(RETRIED)).rows)
    if rows != len(trial.items):
        raise AssertionError(f"{rows} rows instead of {len(trial.items)}")
    return seen


def notified(trial: Trial) -> str:
    """The table is gone: the run fails, the view stays, and the topic's subscribers hear of it."""
    account, table = trial.account, trial.table(RETRIED)
    outputs = change_sets.outputs(account.cloudformation, settings.DEFAULT_COMMON_STACK)
    url = subscribed(trial, outputs["TopicArn"]) if "TopicArn" in outputs else None
    before = answer_of(trial, table)
    account.dynamodb.delete_table(TableName=table)
    account.dynamodb.get_waiter("table_not_exists").wait(TableName=table)
    last = ended(trial, RETRIED, started(trial, RETRIED))
    after = replace(answer_of(trial, table), query_id=before.query_id)
    if last.succeeded or after != before:
        raise AssertionError(f"the run of a missing table is {last.outcome}")
    if url is None:
        raise NotReached("the common stack has no topic: give --email where it does not exist yet")
    message = received(trial, url, naming.export_job(table, RETRIED.format.value))
    trial.saw(facts.NOTIFICATION, Outcome.CONFIRMED, message)
    return message


def subscribed(trial: Trial, topic: str) -> str:
    """A queue that gets what the topic publishes; its URL."""
    sqs, sns = trial.account.client("sqs"), trial.account.client("sns")
    url = str(sqs.create_queue(QueueName=trial.table(RETRIED))["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy_for(topic, arn)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def received(trial: Trial, url: str, job: str) -> str:
    """Return the message about that job."""
    sqs, until = trial.account.client("sqs"), time.monotonic() + 60 * _MESSAGE_MINUTES
    while time.monotonic() < until:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            text = json.loads(message["Body"])["Message"]
            if job in text:
                return str(text)
        time.sleep(trial.account.pause)
    trial.saw(facts.NOTIFICATION, Outcome.REFUTED, f"no message in {_MESSAGE_MINUTES} minutes")
    raise AssertionError(f"no message about {job} in {_MESSAGE_MINUTES} minutes")
