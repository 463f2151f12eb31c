"""The aws command: version 1 of this environment, or the program that the command line names."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import answers
import commands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEMPLATE = Path(__file__).parents[3] / "templates" / "table.yaml"
AWS = sys.argv[1:] or [sys.executable, "-m", "awscli"]
VERSION = commands.execute([*AWS, "--version"]).removeprefix("aws-cli/")[0]
STACK, TABLE = f"cli-{VERSION}", f"Things{VERSION}"
FILES = f"s3://{answers.BUCKET}/cli-{VERSION}"
# Above it, the command sends parts: 8 MB each.
# https://docs.aws.amazon.com/cli/latest/topic/s3-config.html#multipart-threshold
LARGE = 9_000_000
WAITS_MAX = 600
CHECKSUMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def aws(*words: str, stdin: str | None = None) -> Any:
    """What the command answers: JSON, or text."""
    printed = commands.execute([*AWS, *words, "--output", "json"], stdin)
    return json.loads(printed) if printed.strip().startswith(("{", "[", '"')) else printed


def copied() -> str:
    Path("greeting.txt").write_text("hello", encoding="utf-8")
    aws("s3", "cp", "greeting.txt", f"{FILES}/greeting.txt", "--quiet")
    return str(aws("s3", "cp", f"{FILES}/greeting.txt", "-", "--quiet"))


def piped() -> str:
    aws("s3", "cp", "-", f"{FILES}/piped.txt", stdin="typed")
    return str(aws("s3", "cp", f"{FILES}/piped.txt", "-", "--quiet"))


def copied_in_parts() -> bool:
    """A file there, a copy of it in the bucket, and the copy back."""
    content = bytes(range(250)) * (LARGE // 250)
    Path("large").write_bytes(content)
    aws("s3", "cp", "large", f"{FILES}/large", "--quiet")
    aws("s3", "cp", f"{FILES}/large", f"{FILES}/copy", "--quiet")
    aws("s3", "cp", f"{FILES}/copy", "back", "--quiet")
    return Path("back").read_bytes() == content


def copied_by_the_crt() -> bool:
    """The other S3 client of version 2.

    https://docs.aws.amazon.com/cli/latest/topic/s3-config.html#preferred-transfer-client
    """
    Path("crt").write_text("[default]\ns3 =\n  preferred_transfer_client = crt\n", encoding="utf-8")
    with patch.dict(os.environ, {"AWS_CONFIG_FILE": "crt"}):
        return copied_in_parts()


def checksums() -> dict[str, str]:
    """What S3 answers of an object, by algorithm; version 1 needs a library for two of them."""
    Path("greeting.txt").write_text("hello", encoding="utf-8")
    algorithms = ("CRC32", "SHA1", "SHA256") if VERSION == "1" else CHECKSUMS
    found = {}
    for algorithm in algorithms:
        key = ("--bucket", answers.BUCKET, "--key", f"cli-{VERSION}/{algorithm}")
        sent = ("--body", "greeting.txt", "--checksum-algorithm", algorithm)
        aws("s3api", "put-object", *key, *sent)
        answer = aws("s3api", "head-object", *key, "--checksum-mode", "ENABLED")
        found[algorithm] = f"{answer[f'Checksum{algorithm}']} {answer['ChecksumType']}"
    return found


def synchronized() -> list[str]:
    """The names that come, and those that stay after a removal."""
    aws("s3", "sync", FILES, "synchronized", "--quiet")
    came = sorted(file.name for file in Path("synchronized").iterdir())
    aws("s3", "rm", FILES, "--recursive", "--quiet")
    listed = commands.execute([*AWS, "s3", "ls", f"s3://{answers.BUCKET}/"])
    return [*came, *(["not removed"] if f"cli-{VERSION}" in listed else [])]


def table() -> str:
    aws(
        *("dynamodb", "create-table", "--table-name", TABLE, "--billing-mode", "PAY_PER_REQUEST"),
        *("--attribute-definitions", "AttributeName=Id,AttributeType=S"),
        *("--key-schema", "AttributeName=Id,KeyType=HASH"),
    )
    aws("dynamodb", "wait", "table-exists", "--table-name", TABLE)
    put = [{"PutRequest": {"Item": {"Id": {"S": name}, "Size": {"N": "1"}}}} for name in "abc"]
    aws("dynamodb", "batch-write-item", "--request-items", json.dumps({TABLE: put}))
    # Bytes in base64, the default of version 2, and of DynamoDB's JSON in version 1.
    blob = {"Id": {"S": "d"}, "Size": {"N": "2"}, "Photo": {"B": "AQI="}}
    aws("dynamodb", "put-item", "--table-name", TABLE, "--item", json.dumps(blob))
    key = ("--table-name", TABLE, "--key", '{"Id": {"S": "d"}}')
    return str(aws("dynamodb", "get-item", *key)["Item"]["Photo"]["B"])


def pages() -> list[int]:
    """The items of pages, and those that the command reads in pages of its own."""
    scan = ("dynamodb", "scan", "--table-name", "Orders")
    first = aws(*scan, "--max-items", "20")
    rest = aws(*scan, "--starting-token", first["NextToken"])
    every = aws(*scan, "--page-size", "7")
    return [len(page["Items"]) for page in (first, rest, every)]


def published() -> list[str]:
    """The scripts, where the template looks for them."""
    target = f"s3://{answers.BUCKET}/scripts/current/"
    only = ("--exclude", "*", "--include", "*.py")
    aws("s3", "cp", "--recursive", *only, str(TEMPLATE.parents[1] / "scripts"), target, "--quiet")
    listed = commands.execute([*AWS, "s3", "ls", target])
    return [line.split()[-1] for line in listed.splitlines()]


def deployed() -> list[str]:
    """The states of the stack after a deployment, and after one without changes."""
    return [_deploy(), _deploy("--no-fail-on-empty-changeset")]


def _deploy(*options: str) -> str:
    aws(
        *("cloudformation", "deploy", "--stack-name", STACK, "--template-file", str(TEMPLATE)),
        *("--s3-bucket", answers.BUCKET, "--s3-prefix", f"cli-{VERSION}", *options),
        *("--capabilities", "CAPABILITY_IAM", "--parameter-overrides", f"TableName={TABLE}"),
        *("OutputFormat=json", "Engine=python", "ReadMode=native", "CatalogUpdate=direct"),
    )
    (stack,) = aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"]
    return str(stack["StackStatus"])


def workflow() -> dict[str, Any]:
    name = f"dynoexport-{TABLE}-json"
    run = aws("glue", "start-workflow-run", "--name", name)["RunId"]
    found = _end(
        lambda: aws("glue", "get-workflow-run", "--name", name, "--run-id", run)["Run"],
        lambda answer: str(answer["Status"]),
    )
    counts = found["Statistics"]
    return {"Status": found["Status"], "SucceededActions": counts["SucceededActions"]}


def logs() -> bool:
    """Whether the job's own lines are there."""
    group = "/aws-glue/python-jobs/output"
    printed = commands.execute([*AWS, "logs", "tail", group, "--since", "1h", "--format", "short"])
    return f"exporting {TABLE} as json" in printed


def query(sql: str, *parameters: str) -> Any:
    started = aws(
        *("athena", "start-query-execution", "--work-group", answers.GROUP),
        *("--query-execution-context", f"Database={answers.DATABASE}"),
        *("--query-string", sql, *parameters),
    )
    names = ("--query-execution-id", started["QueryExecutionId"])
    _end(
        lambda: aws("athena", "get-query-execution", *names)["QueryExecution"]["Status"],
        lambda answer: str(answer["State"]),
    )
    rows = aws("athena", "get-query-results", *names)["ResultSet"]["Rows"]
    return [[datum["VarCharValue"] for datum in row["Data"]] for row in rows]


def _end(ask: Callable[[], Any], state: Callable[[Any], str]) -> Any:
    """The first answer whose state is an end."""
    answer = ask()
    for _ in range(WAITS_MAX):
        if state(answer) not in {"QUEUED", "RUNNING"}:
            break
        time.sleep(0.2)
        answer = ask()
    return answer


def deleted() -> list[str]:
    """The stacks and the state of the table after their removal."""
    aws("cloudformation", "delete-stack", "--stack-name", STACK)
    aws("cloudformation", "wait", "stack-delete-complete", "--stack-name", STACK)
    stacks = aws("cloudformation", "describe-stacks")["Stacks"]
    left = [stack["StackName"] for stack in stacks if stack["StackName"] == STACK]
    gone = aws("dynamodb", "delete-table", "--table-name", TABLE)
    aws("dynamodb", "wait", "table-not-exists", "--table-name", TABLE)
    return [*left, gone["TableDescription"]["TableStatus"]]


def ddb() -> str:
    """YAML, which only version 2 prints and reads."""
    aws("ddb", "put", TABLE, "{Id: e, Size: 1.5, Tags: !!set {x}}")
    words = ["--key-condition", 'Id = "e"', "--output", "yaml"]
    return commands.execute([*AWS, "ddb", "select", TABLE, *words])


def profile() -> int:
    """A scan with a profile, which has the endpoint and the keys; the environment has neither."""
    text = (
        f"[profile laptop]\nendpoint_url = {os.environ['AWS_ENDPOINT_URL']}\nregion = us-east-1\n"
        f"aws_access_key_id = {os.environ['AWS_ACCESS_KEY_ID']}\n"
        f"aws_secret_access_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
    )
    Path("config").write_text(text, encoding="utf-8")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_CONFIG_FILE": "config", "AWS_PROFILE": "laptop"}
    with patch.dict(os.environ, {**bare, **own}, clear=True):
        return len(aws("dynamodb", "scan", "--table-name", "Orders")["Items"])


ONLY_2: Mapping[str, Callable[[], Any]] = {
    "`s3 cp` in parts by the CRT": copied_by_the_crt,
    "`ddb put`, `ddb select`": ddb,
    "`logs tail`": logs,
}
answers.answer(
    {
        "`s3 cp`": copied,
        "`s3 cp` of a pipe": piped,
        "`s3 cp` in parts": copied_in_parts,
        "checksums of S3": checksums,
        "`s3 sync`, `s3 rm`": synchronized,
        "`dynamodb create-table`, `batch-write-item`, `put-item`": table,
        "`dynamodb scan` in pages": pages,
        "`s3 cp --recursive`, `s3 ls`": published,
        "`cloudformation deploy --s3-bucket`": deployed,
        "`glue start-workflow-run`": workflow,
        "`athena`": lambda: query(f"SELECT id, size FROM {TABLE} ORDER BY id"),
        "`athena` with parameters": lambda: query(
            "SELECT orderid FROM orders WHERE number = ?", "--execution-parameters", "3"
        ),
        "`glue get-tables`": lambda: sorted(
            found["Name"].replace(TABLE.lower(), "things")
            for found in aws("glue", "get-tables", "--database-name", answers.DATABASE)["TableList"]
            if TABLE.lower() in found["Name"]
        ),
        "a profile with `endpoint_url`": profile,
        **(ONLY_2 if VERSION == "2" else {}),
        "`cloudformation delete-stack`, `dynamodb delete-table`": deleted,
    }
)
