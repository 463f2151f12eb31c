"""Find and remove everything that acceptance runs have created, also of runs that were killed."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import acceptance_names as names
from botocore.exceptions import ClientError

from dynoexport import naming, settings
from dynoexport.aws import change_sets
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.s3 import delete_objects, list_objects
from dynoexport.model import OutputFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dynoexport import Account

_BUSY = "_IN_PROGRESS"
_LOG_GROUPS = tuple(
    f"/aws-glue/{kind}/{channel}"
    for kind in ("jobs", "python-jobs")
    for channel in ("output", "error", "logs-v2")
)
_CRAWLER_LOGS = "/aws-glue/crawlers"


@dataclass(frozen=True)
class Found:
    """Everything that acceptance runs have left."""

    tables: tuple[str, ...]
    stacks: tuple[str, ...]
    keys: tuple[str, ...]
    catalog: tuple[str, ...]
    queues: tuple[str, ...]

    def lines(self) -> list[str]:
        """A line for each."""
        return [
            *(f"DynamoDB table {name}" for name in self.tables),
            *(f"stack {name}" for name in self.stacks),
            *(f"object {key}" for key in self.keys),
            *(f"catalog table {naming.DATABASE}.{name}" for name in self.catalog),
            *(f"queue {url}" for url in self.queues),
        ]


def find(account: Account) -> Found:
    """Everything with a name of an acceptance run."""
    return Found(
        tables=tuple(_tables(account)),
        stacks=tuple(_stacks(account)),
        keys=tuple(_keys(account)),
        catalog=tuple(_catalog(account)),
        queues=tuple(_queues(account)),
    )


def remove(account: Account, say: Callable[[str], None]) -> list[str]:
    """Remove everything; a line for each thing that is left."""
    exports = list(_deployed(account))
    denied: list[str] = []
    _stop_runs(account, exports, say)
    _attempt(denied, "logs", lambda: _delete_logs(account, exports))
    for stack in _stacks(account):
        say(f"deleting stack {stack}")
        _delete_stack(account, stack)
    _attempt(denied, "query results", lambda: _delete_results(account))
    delete_objects(account.s3, account.bucket, list(_keys(account)))
    for name in _catalog(account):
        account.glue.delete_table(DatabaseName=naming.DATABASE, Name=name)
    sqs = account.client("sqs")
    for url in _queues(account):
        sqs.delete_queue(QueueUrl=url)
    _attempt(denied, "subscriptions", lambda: _unsubscribe(account))
    marks = []
    for table in _tables(account):
        if names.is_mark_of_common(table):
            marks.append(table)
            continue
        say(f"deleting DynamoDB table {table}")
        _delete_table(account, table)
    if marks:
        say("deleting the common stack, its bucket and its database")
        kept = _delete_common(account)
        if kept:
            say(f"to keep the common stack, delete the table {marks[0]} yourself")
            return [*kept, *denied]
    for table in marks:
        _delete_table(account, table)
    return [*find(account).lines(), *denied]


def _attempt(denied: list[str], what: str, action: Callable[[], None]) -> None:
    """Do what the rest does not depend on. A refusal becomes a line of what is left."""
    try:
        action()
    except (ClientError, JobFailed) as error:
        denied.append(f"{what}: {error}")


# --- DynamoDB -------------------------------------------------------------------------------------
def _tables(account: Account) -> Iterator[str]:
    """Tables with a name and the tag of an acceptance run."""
    for page in account.dynamodb.get_paginator("list_tables").paginate():
        for name in filter(names.is_own, page["TableNames"]):
            with suppress(account.dynamodb.exceptions.ResourceNotFoundException):
                arn = account.dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
                tags = account.dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
                if any(tag["Key"] == names.TAG for tag in tags):
                    yield name


def _delete_table(account: Account, name: str) -> None:
    exceptions = account.dynamodb.exceptions
    with suppress(exceptions.ResourceNotFoundException):
        if _status(account, name) == "CREATING":
            account.dynamodb.get_waiter("table_exists").wait(TableName=name)
        if _status(account, name) != "DELETING":
            account.dynamodb.delete_table(TableName=name)
        account.dynamodb.get_waiter("table_not_exists").wait(TableName=name)


def _status(account: Account, name: str) -> str:
    return account.dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]


# --- stacks and runs ------------------------------------------------------------------------------
def _described(account: Account) -> Iterator[Any]:
    for page in account.cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            # A change set that was never executed leaves a stack without parameters.
            table = change_sets.read_parameters(stack).get(settings.TABLE_NAME, "")
            if names.is_own(table) or _is_own_stack(stack["StackName"]):
                yield stack


def _is_own_stack(name: str) -> bool:
    stem, _, fmt = name.removeprefix("dynoexport-").rpartition("-")
    return name.startswith("dynoexport-") and fmt in set(OutputFormat) and names.is_own(stem)


def _stacks(account: Account) -> Iterator[str]:
    for stack in list(_described(account)):
        yield stack["StackName"]


def _deployed(account: Account) -> Iterator[tuple[str, str]]:
    """Table and format of each stack."""
    for stack in list(_described(account)):
        stem, _, fmt = stack["StackName"].removeprefix("dynoexport-").rpartition("-")
        yield stem, fmt


def _stop_runs(
    account: Account, exports: Iterable[tuple[str, str]], say: Callable[[str], None]
) -> None:
    """Stop the runs that are active, and wait until they and their crawls have ended."""
    glue = account.glue
    for table, fmt in exports:
        workflow = naming.workflow(table, fmt, scheduled=False)
        with suppress(glue.exceptions.EntityNotFoundException):
            for run in glue.get_workflow_runs(Name=workflow)["Runs"]:
                if run["Status"] not in {"COMPLETED", "STOPPED", "ERROR"}:
                    say(f"stopping a run of {table}")
                    with suppress(ClientError):
                        glue.stop_workflow_run(Name=workflow, RunId=run["WorkflowRunId"])
                    _wait(account, lambda: _has_ended(account, workflow, run["WorkflowRunId"]))  # noqa: B023
        with suppress(glue.exceptions.EntityNotFoundException):
            name = naming.crawler(table, fmt)
            _wait(account, lambda: glue.get_crawler(Name=name)["Crawler"]["State"] == "READY")  # noqa: B023


def _has_ended(account: Account, workflow: str, run: str) -> bool:
    status = account.glue.get_workflow_run(Name=workflow, RunId=run)["Run"]["Status"]
    return status in {"COMPLETED", "STOPPED", "ERROR"}


def _wait(account: Account, is_done: Callable[[], bool], minutes: float = 30) -> None:
    until = time.monotonic() + 60 * minutes
    while not is_done() and time.monotonic() < until:
        time.sleep(account.pause)


def _delete_stack(account: Account, name: str) -> None:
    """Wait until the stack has settled, and delete it, even if it is only a change set."""
    cloudformation = account.cloudformation
    try:
        stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    except cloudformation.exceptions.ClientError:
        return

    def settled() -> bool:
        # A deleted stack is found by its ID, one that was only a change set perhaps not.
        try:
            stacks = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
        except cloudformation.exceptions.ClientError:
            return True
        status = stacks[0]["StackStatus"]
        return status == f"REVIEW{_BUSY}" or not status.endswith(_BUSY)

    _wait(account, settled)
    cloudformation.delete_stack(StackName=stack_id)
    _wait(account, settled)


def _delete_common(account: Account) -> list[str]:
    """Delete the common stack with its bucket and database, unless somebody else uses them."""
    bucket, glue = account.bucket, account.glue
    others = [other["StackName"] for other in _exports_of_others(account)]
    if others:
        return [f"the common stack: {', '.join(others)} need it"]
    foreign, keys = _foreign(account)
    if foreign:
        return foreign[:1]
    delete_objects(account.s3, bucket, keys)
    stack = settings.DEFAULT_COMMON_STACK
    _delete_stack(account, stack)
    if change_sets.describe(account.cloudformation, stack) is not None:
        return [f"stack {stack}: it cannot be deleted"]
    with suppress(account.s3.exceptions.NoSuchBucket):
        account.s3.delete_bucket(Bucket=bucket)
    with suppress(glue.exceptions.EntityNotFoundException):
        glue.delete_database(Name=naming.DATABASE)
    return []


def _foreign(account: Account) -> tuple[list[str], list[str]]:
    """What others keep in the bucket and the database, and all keys of the bucket.

    A denied call is no answer: it ends the removal.
    """
    keys: list[str] = []
    others = []
    with suppress(account.s3.exceptions.NoSuchBucket):
        keys = list(list_objects(account.s3, account.bucket, ""))
    # What init uploads, and results of the last queries.
    common = (naming.SCRIPTS_PREFIX, naming.ATHENA_RESULTS_PREFIX)
    others += [f"{account.bucket}: it has {key}" for key in keys if not key.startswith(common)]
    with suppress(account.glue.exceptions.EntityNotFoundException):
        pages = account.glue.get_paginator("get_tables").paginate(DatabaseName=naming.DATABASE)
        tables = [table["Name"] for page in pages for table in page["TableList"]]
        others += [f"database {naming.DATABASE}: it has {name}" for name in tables]
    return others, keys


def _exports_of_others(account: Account) -> list[Any]:
    keys = []
    for page in account.cloudformation.get_paginator("describe_stacks").paginate():
        keys += [
            stack
            for stack in page["Stacks"]
            if settings.COMMON_STACK_NAME in change_sets.read_parameters(stack)
            and not names.is_own(change_sets.read_parameters(stack).get(settings.TABLE_NAME, ""))
        ]
    return keys


# --- S3, Athena, catalog --------------------------------------------------------------------------
def _keys(account: Account) -> Iterator[str]:
    """Objects of acceptance tables, and their runs' own scripts."""
    prefixes = {
        of(names.START, fmt.value).rstrip("/")
        for fmt in OutputFormat
        for of in (
            naming.data_prefix,
            naming.manifest_prefix,
            naming.temp_prefix,
            naming.view_results_prefix,
        )
    }
    for prefix in sorted({*prefixes, naming.SCRIPTS_PREFIX}):
        try:
            keys = sorted(list_objects(account.s3, account.bucket, prefix))
        except account.s3.exceptions.NoSuchBucket:
            return
        yield from filter(names.is_own_key, keys)


def _delete_results(account: Account) -> None:
    """Delete the results of queries about acceptance tables."""
    own = naming.view(names.START)
    keys = []
    with suppress(account.athena.exceptions.InvalidRequestException):
        # Without the common stack there is no workgroup.
        pages = account.athena.get_paginator("list_query_executions").paginate(
            WorkGroup=naming.WORK_GROUP
        )
        for query in [query_id for page in pages for query_id in page["QueryExecutionIds"]]:
            execution = account.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if own in execution["Query"]:
                location = execution["ResultConfiguration"]["OutputLocation"]
                key = location.removeprefix(f"s3://{account.bucket}/")
                keys += [key, f"{key}.metadata", key.removesuffix(".csv") + ".txt"]
        delete_objects(account.s3, account.bucket, keys)


def _catalog(account: Account) -> Iterator[str]:
    """Catalog tables and views of acceptance tables."""
    pages = account.glue.get_paginator("get_tables").paginate(DatabaseName=naming.DATABASE)
    try:
        found = [table["Name"] for page in pages for table in page["TableList"]]
    except account.glue.exceptions.EntityNotFoundException:
        return
    yield from filter(names.is_own_in_catalog, found)


# --- queues and logs ------------------------------------------------------------------------------
def _queues(account: Account) -> Iterator[str]:
    found = account.client("sqs").list_queues(QueueNamePrefix=names.START).get("QueueUrls", ())
    yield from (url for url in found if names.is_own(url.rpartition("/")[2]))


def _unsubscribe(account: Account) -> None:
    """Remove subscriptions of acceptance queues from the common stack's topic."""
    sns = account.client("sns")
    for page in sns.get_paginator("list_subscriptions").paginate():
        for subscription in page["Subscriptions"]:
            if names.is_own(subscription["Endpoint"].rpartition(":")[2]):
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


def _delete_logs(account: Account, exports: Iterable[tuple[str, str]]) -> None:
    """Delete the log streams of the jobs' runs and of the crawlers."""
    for table, fmt in exports:
        for job in (naming.export_job(table, fmt), naming.view_job(table, fmt)):
            with suppress(account.glue.exceptions.EntityNotFoundException):
                for run in account.glue.get_job_runs(JobName=job)["JobRuns"]:
                    for group in _LOG_GROUPS:
                        _delete_streams(account, group, run["Id"])
        _delete_streams(account, _CRAWLER_LOGS, naming.crawler(table, fmt))


def _delete_streams(account: Account, group: str, prefix: str) -> None:
    """Spark's executors have streams of their own, whose names begin with the run's."""
    with suppress(account.logs.exceptions.ResourceNotFoundException):
        found = account.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)
        for stream in found["logStreams"]:
            account.logs.delete_log_stream(
                logGroupName=group, logStreamName=stream["logStreamName"]
            )


def policy_for(topic: str, queue: str) -> str:
    """The policy by which a topic may send to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
