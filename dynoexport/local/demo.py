"""The demo: deploy the templates on this machine, run the workflow, query the view."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from dynoexport import assets, naming, settings, units
from dynoexport.aws import athena, change_sets, workflow_runs
from dynoexport.local import items as items_module
from dynoexport.local import server
from dynoexport.model import CatalogUpdate, Engine, ReadMode
from dynoexport.presentation import display

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeySchemaElementTypeDef
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from rich.console import Console

    from dynoexport.local.context import Endpoint
    from dynoexport.local.items import Item, Key

# The endpoint answers at once and has no rate limit.
_POLL_SECONDS = 0.1
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
_BATCH = 25
_ROWS_SHOWN = 20

REVIEWS_KEY = items_module.Key("User", "Book")
REVIEWS: tuple[Item, ...] = (
    {
        "User": {"S": "Tristan"},
        "Book": {"S": "Harry Potter and the Philosopher's Stone"},
        "Rating": {"N": "5"},
        "Review": {"S": "A thrilling journey through the world of Hogwarts"},
        "Author": {"S": "J.K.Rowling"},
    },
    {
        "User": {"S": "Adeline"},
        "Book": {"S": "Harry Potter and the Sorcerer's Stone"},
        "Rating": {"N": "4"},
        "Review": {"S": "Harry is pretty brave, but Hermione is the clear hero"},
        "Author": {"S": "J.K.Rowling"},
    },
)


@dataclass(frozen=True)
class Demo:
    """What is exported: a table with its items, in one format."""

    export: naming.Export
    key: Key
    items: tuple[Item, ...]
    engine: Engine = settings.DEFAULT_ENGINE

    @property
    def parameters(self) -> dict[str, str]:
        """Those of the table stack."""
        named = {
            settings.TABLE_NAME: self.export.table,
            settings.OUTPUT_FORMAT: self.export.format.value,
        }
        if self.engine is Engine.SPARK:
            return named
        return {
            **named,
            settings.ENGINE: self.engine.value,
            settings.READ_MODE: ReadMode.NATIVE.value,
            settings.CATALOG_UPDATE: CatalogUpdate.DIRECT.value,
        }


@dataclass
class Steps:
    """Prints each step, and keeps how long it took."""

    console: Console
    taken: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.console.print(Text(f"• {name}", "bold"))
        begin = time.perf_counter()
        yield
        self.taken.append((name, time.perf_counter() - begin))

    def print_durations(self) -> None:
        width = max(len(name) for name, _ in self.taken)
        for name, duration in self.taken:
            self.console.print(f"  {name:<{width}}  {units.duration(duration):>11}", style="dim")


def run(demo: Demo, console: Console) -> None:
    """Run the demo; at its end, stop all that it started.

    Raises:
        DynoexportError: a stack, the workflow run or the query failed, with the reason.
    """
    steps = Steps(console)
    with server.serve(port=0) as endpoint:
        _deploy(demo, endpoint, steps)
        with steps.step(f"Put {len(demo.items)} items into DynamoDB table {demo.export.table}"):
            _fill(endpoint.client("dynamodb"), demo)
        with steps.step("Run the Glue Workflow"):
            _run_workflow(endpoint.client("glue"), demo, console)
        _show_rows(demo, endpoint, steps)
        bucket = naming.bucket(endpoint.account, endpoint.region)
        with steps.step(f"List s3://{bucket}"):
            _list_objects(endpoint.client("s3"), demo, bucket, console)
    console.print(Text("• What each step took", "bold"))
    steps.print_durations()


def _deploy(demo: Demo, endpoint: Endpoint, steps: Steps) -> None:
    cloudformation = endpoint.client("cloudformation")
    table, fmt = demo.export.table, demo.export.format.value
    with steps.step("Deploy templates/common.yaml"):
        common = change_sets.Stack(settings.DEFAULT_COMMON_STACK, assets.template("common.yaml"))
        change_sets.deploy(cloudformation, common, pause=_POLL_SECONDS)
    with steps.step("Publish the job scripts"):
        for script in (naming.EXPORT_SCRIPT, naming.VIEW_SCRIPT):
            endpoint.client("s3").put_object(
                Bucket=naming.bucket(endpoint.account, endpoint.region),
                Key=naming.script_key(script, settings.DEFAULT_SCRIPTS_VERSION),
                Body=assets.script(script).encode(),
            )
    with steps.step("Deploy templates/table.yaml"):
        stack = change_sets.Stack(
            naming.table_stack(table, fmt),
            assets.template("table.yaml"),
            parameters=demo.parameters,
        )
        change_sets.deploy(cloudformation, stack, pause=_POLL_SECONDS)


def _fill(dynamodb: DynamoDBClient, demo: Demo) -> None:
    types = items_module.key_types(demo.items, demo.key)
    schema: list[KeySchemaElementTypeDef] = [{"AttributeName": demo.key.hash, "KeyType": "HASH"}]
    if demo.key.range is not None:
        schema.append({"AttributeName": demo.key.range, "KeyType": "RANGE"})
    dynamodb.create_table(
        TableName=demo.export.table,
        KeySchema=schema,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": code}  # type: ignore[typeddict-item]
            for name, code in types.items()
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for start in range(0, len(demo.items), _BATCH):
        requests = [{"PutRequest": {"Item": item}} for item in demo.items[start : start + _BATCH]]
        dynamodb.batch_write_item(RequestItems={demo.export.table: requests})  # type: ignore[dict-item]


def _run_workflow(glue: GlueClient, demo: Demo, console: Console) -> None:
    name = naming.workflow(demo.export.table, demo.export.format.value, scheduled=False)
    run_id = glue.start_workflow_run(Name=name)["RunId"]
    updates = workflow_runs.watch(glue, name, run_id, seconds=_POLL_SECONDS)
    workflow_runs.require_success(display.follow_run(updates, console))


def _show_rows(demo: Demo, endpoint: Endpoint, steps: Steps) -> None:
    if not demo.export.format.queryable:
        steps.console.print(f"• Athena cannot read {demo.export.format.value}: only files to see")
        return
    if not demo.items:
        steps.console.print("• The table is empty: there is no view yet")
        return
    view = naming.view(demo.export.table, demo.export.catalog_prefix)
    with steps.step(f"Query the Athena view {naming.DATABASE}.{view}"):
        result = athena.run(
            endpoint.client("athena"),
            f'SELECT * FROM "{view}" LIMIT {_ROWS_SHOWN}',  # noqa: S608 - a-z, 0-9 and _ only
            work_group=naming.WORK_GROUP,
            database=naming.DATABASE,
            seconds=_POLL_SECONDS,
        )
    display.print_rows(steps.console, result.columns, result.rows)
    if len(demo.items) > _ROWS_SHOWN:
        steps.console.print(f"  ({_ROWS_SHOWN} of {len(demo.items)} rows)", style="dim")


def _list_objects(s3: S3Client, demo: Demo, bucket: str, console: Console) -> None:
    table, fmt = demo.export.table, demo.export.format.value
    for prefix in (naming.data_prefix(table, fmt), naming.manifest_prefix(table, fmt)):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                console.print(
                    f"  {units.size(entry['Size']):>9}  {entry['Key']}",
                    soft_wrap=True,
                    highlight=False,
                )
