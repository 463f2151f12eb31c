"""The export job as a Python shell job: whole runs on the endpoint, without Spark and crawler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from command import Command
from roles import Usage

from dynoexport import assets, naming
from dynoexport.aws import workflow_runs

if TYPE_CHECKING:
    from account import Account

pytestmark = [pytest.mark.endpoint]

CHEAP = {"ReadMode": "native", "Engine": "python", "CatalogUpdate": "direct"}
ORDERS: list[dict[str, Any]] = [
    {
        "Id": {"S": f"order-{number:03}"},
        "Total": {"N": f"{number}.50"},
        "Lines": {"L": [{"M": {"Sku": {"S": f"sku-{number}"}}}]},
    }
    for number in range(120)
]


@pytest.fixture(scope="module")
def orders(account: Account) -> str:
    """A deployed table, without Spark and crawler."""
    assert Command(account.endpoint)("init", "--yes").returncode == 0
    account.create_table("PlainOrders", ["Id"], ORDERS)
    account.client("dynamodb").update_continuous_backups(
        TableName="PlainOrders",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    account.deploy_table("PlainOrders", **CHEAP)
    return "PlainOrders"


def job(account: Account, table: str) -> dict[str, Any]:
    found: dict[str, Any] = account.client("glue").get_job(
        JobName=naming.export_job(table, "parquet")
    )["Job"]
    return found


def test_a_run_without_spark_and_crawler_shows_every_item(account: Account, orders: str) -> None:
    """In several segments, so that every process reads and writes some."""
    run = account.run(orders, Splits="6")
    workflow_runs.require_success(run)
    assert [attempt.kind for node in run.nodes for attempt in node.attempts] == ["pythonshell"] * 2
    rows = account.rows(f'SELECT id, total, "lines" FROM "{naming.view(orders)}" ORDER BY id')
    assert len(rows) == len(ORDERS)
    assert rows[7] == {"id": "order-007", "total": "7.5", "lines": "[{sku=sku-7}]"}
    (manifest,) = account.manifests(orders)
    assert (manifest["engine"], manifest["read"]["splits"]) == ("python", 6)
    assert account.keys(naming.temp_prefix(orders, "parquet")) == {}


def test_its_job_has_what_aws_takes_of_a_python_shell_job(account: Account, orders: str) -> None:
    """No workers and no GlueVersion, which Glue ignores or refuses beside MaxCapacity."""
    deployed = job(account, orders)
    assert (deployed["Command"]["Name"], deployed["Command"]["PythonVersion"]) == (
        "pythonshell",
        "3.9",
    )
    assert deployed["MaxCapacity"] == 0.0625
    assert not {"WorkerType", "NumberOfWorkers", "GlueVersion"} & {
        name for name, value in deployed.items() if value
    }
    arguments = deployed["DefaultArguments"]
    assert arguments["library-set"] == "analytics"
    assert arguments["--additional-python-modules"] == "pyarrow==7.0.0"
    assert not {"--conf", "--enable-metrics", "--job-bookmark-option"} & set(arguments)


def test_the_log_has_the_versions_and_the_memory(account: Account, orders: str) -> None:
    """AWS publishes neither the versions nor how much memory 0.0625 DPU has."""
    shown = Command(account.endpoint)("logs", orders)
    assert re.search(
        r"Python 3\.\d+\.\d+, boto3 [\d.]+, pyarrow [\d.]+, \d+ CPUs?$", shown.stdout, re.MULTILINE
    )
    assert re.search(r"the largest process had [\d,]+ MiB of memory$", shown.stdout, re.MULTILINE)


def test_dynamodbs_own_export_is_read_without_spark(account: Account, orders: str) -> None:
    before = account.rows(f'SELECT * FROM "{naming.view(orders)}" ORDER BY id')
    account.deploy_table(orders, **{**CHEAP, "ReadMode": "export"})
    workflow_runs.require_success(account.run(orders))
    after = account.rows(f'SELECT * FROM "{naming.view(orders)}" ORDER BY id')
    assert [{**row, naming.PARTITION_KEY: ""} for row in after] == [
        {**row, naming.PARTITION_KEY: ""} for row in before
    ]


def test_a_run_is_explained_and_priced_as_a_python_shell_job(account: Account, orders: str) -> None:
    account.deploy_table(orders, **CHEAP)
    workflow_runs.require_success(account.run(orders))
    shown = Command(account.endpoint)("runs", orders, "--explain", "--limit", "1")
    assert shown.returncode == 0, shown.stderr
    assert "not enough for a plan" not in shown.stdout


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        (
            ["--read-mode", "connector"],
            "needs ReadMode native or export, no Where",
        ),
        (["--where", "id > ''"], "no Where"),
    ],
)
def test_deploy_refuses_what_needs_spark(
    account: Account, orders: str, given: list[str], refused: str
) -> None:
    done = Command(account.endpoint)("deploy", orders, "--yes", *given)
    assert done.returncode == 2
    assert refused in done.stderr


def test_deploy_names_the_cheaper_way_while_the_table_is_on_the_other(
    account: Account, orders: str
) -> None:
    run = Command(account.endpoint)
    spark = ["--engine", "spark", "--catalog-update", "crawler"]
    done = run("deploy", orders, *spark, "--yes")
    assert done.returncode == 0, done.stderr
    assert "is small: without Spark and crawler, a run costs about" in done.stderr
    again = run("deploy", orders, "--engine", "python", "--catalog-update", "direct", "--yes")
    assert again.returncode == 0, again.stderr
    assert "is small" not in again.stderr


# --- a part file that is lost between two attempts ------------------------------------------------
LOST = "LostPart"
# The export script with one fault: the first attempt has completed its snapshot, then somebody
# deletes a part file, and the attempt dies. The marker shows the second attempt that it is the
# second; it lies where the job's role may write.
MARKER = f"{naming.temp_prefix(LOST, 'csv')}died"
LOSING = f"""
whole_report_snapshot = report_snapshot


def report_snapshot(clients, settings, manifest):
    if not exists(clients.s3, settings.bucket, "{MARKER}"):
        clients.s3.put_object(Bucket=settings.bucket, Key="{MARKER}", Body=b"once")
        clients.s3.delete_object(Bucket=settings.bucket, Key=manifest["files"][0]["key"])
        raise RuntimeError("a worker was lost")
    whole_report_snapshot(clients, settings, manifest)


if __name__ == "__main__":"""
# Items without the column, with an empty text, and with a value.
ONLY: list[dict[str, Any]] = [
    *({"Id": {"S": f"without-{number}"}} for number in range(5)),
    *({"Id": {"S": f"empty-{number}"}, "Only": {"S": ""}} for number in range(5)),
    {"Id": {"S": "with"}, "Only": {"S": "a,b"}},
]


@pytest.fixture(scope="module")
def lost(account: Account) -> Usage:
    """The roles of a csv export with a single column whose first run has lost a part file."""
    whole = assets.script(naming.EXPORT_SCRIPT)
    losing = whole.replace('\nif __name__ == "__main__":', LOSING)
    assert losing != whole
    account.publish_script(naming.EXPORT_SCRIPT, losing, version="losing")
    view_script = assets.script(naming.VIEW_SCRIPT)
    account.publish_script(naming.VIEW_SCRIPT, view_script, version="losing")
    account.create_table(LOST, ["Id"], ONLY)
    account.deploy_table(
        LOST, "csv", **CHEAP, Columns="Only", MaxRetries="1", ScriptsVersion="losing"
    )
    usage = Usage(account)
    usage.watch(LOST, "csv")
    workflow_runs.require_success(account.run(LOST, "csv"))
    return usage


def deleted_manifests(usage: Usage) -> list[str]:
    """The manifests whose deletion the roles were allowed."""
    account = usage.account
    return [
        call["resource"].removeprefix(f"arn:aws:s3:::{account.bucket}/")
        for call in usage.calls()
        if call["allowed"]
        and call["action"] == "s3:DeleteObject"
        and "/manifests/" in call["resource"]
    ]


def test_a_retry_writes_a_lost_part_file_again_and_replaces_the_manifest(
    account: Account, lost: Usage
) -> None:
    """With the permissions of the deployed role: the manifest named a file that was gone."""
    (manifest,) = account.manifests(LOST, "csv")
    timestamp = manifest["snapshot_timestamp"]
    assert naming.manifest_key(LOST, "csv", timestamp) in deleted_manifests(lost)
    assert lost.refused() == []
    found = account.keys(naming.data_prefix(LOST, "csv"))
    assert {file["key"]: file["bytes"] for file in manifest["files"]} == found
    run, *_ = Command(account.endpoint).json("runs", LOST)
    assert [node["attempts"] for node in run["nodes"]] == [2, 1]


def test_a_single_csv_column_that_is_empty_is_a_row_for_all_readers(
    account: Account, lost: Usage
) -> None:
    """For the job's own count, for ``verify`` and for a query; in the file it is ``""``."""
    (manifest,) = account.manifests(LOST, "csv")
    assert [column["name"] for column in manifest["schema"]] == ["only"]
    s3 = account.client("s3")
    lines = [
        line
        for file in manifest["files"]
        for line in s3.get_object(Bucket=account.bucket, Key=file["key"])["Body"]
        .read()
        .decode()
        .splitlines()
    ]
    written = sorted(line for line in lines if line != "only")
    assert written == ['""'] * (len(ONLY) - 1) + ['"a,b"']
    verified = Command(account.endpoint).json("verify", LOST)
    assert (verified["whole"], verified["rows"], verified["items"]) == (True, len(ONLY), len(ONLY))
    rows = account.rows(f'SELECT only FROM "{naming.view(LOST)}"')
    assert sorted(row["only"] or "" for row in rows) == [""] * (len(ONLY) - 1) + ["a,b"]


def test_a_retry_that_may_not_delete_the_manifest_fails_by_its_name(
    account: Account, lost: Usage
) -> None:
    """The view stays as it was."""
    before = account.rows(f'SELECT * FROM "{naming.view(LOST)}" ORDER BY 1')
    account.client("s3").delete_object(Bucket=account.bucket, Key=MARKER)
    lost.forbid("ExportRole", "WriteManifest", "s3:DeleteObject")
    run = account.run(LOST, "csv")
    assert [node.state for node in run.nodes] == ["FAILED", "WAITING"]
    *_, manifest = account.manifests(LOST, "csv")
    key = naming.manifest_key(LOST, "csv", manifest["snapshot_timestamp"])
    assert f"cannot delete s3://{account.bucket}/{key}: " in run.nodes[0].error
    assert "\n" not in run.nodes[0].error
    assert account.rows(f'SELECT * FROM "{naming.view(LOST)}" ORDER BY 1') == before
