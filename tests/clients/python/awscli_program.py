"""The aws command, version 1."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import answers
import commands

TEMPLATE = Path(__file__).parents[3] / "templates" / "table.yaml"
STACK = "cli-orders"


def aws(*words: str) -> Any:
    printed = commands.run("awscli", *words, "--output", "json")
    return json.loads(printed) if printed.strip().startswith("{") else printed


def copied() -> str:
    Path("greeting.txt").write_text("hello", encoding="utf-8")
    aws("s3", "cp", "greeting.txt", f"s3://{answers.BUCKET}/greeting.txt", "--quiet")
    return str(aws("s3", "cp", f"s3://{answers.BUCKET}/greeting.txt", "-", "--quiet"))


def query() -> Any:
    started = aws(
        *("athena", "start-query-execution", "--work-group", answers.GROUP),
        *("--query-execution-context", f"Database={answers.DATABASE}"),
        *("--query-string", "SELECT orderid FROM orders WHERE number = 3"),
    )
    names = ("--query-execution-id", started["QueryExecutionId"])
    state = "QUEUED"
    while state in {"QUEUED", "RUNNING"}:
        time.sleep(0.2)
        found = aws("athena", "get-query-execution", *names)["QueryExecution"]
        state = found["Status"]["State"]
    rows = aws("athena", "get-query-results", *names)["ResultSet"]["Rows"]
    return [[datum["VarCharValue"] for datum in row["Data"]] for row in rows]


def deployed() -> str:
    aws(
        *("cloudformation", "deploy", "--stack-name", STACK, "--template-file", str(TEMPLATE)),
        *("--s3-bucket", answers.BUCKET, "--capabilities", "CAPABILITY_IAM"),
        *("--parameter-overrides", "TableName=Orders", "OutputFormat=json"),
    )
    (stack,) = aws("cloudformation", "describe-stacks", "--stack-name", STACK)["Stacks"]
    return str(stack["StackStatus"])


answers.answer(
    {
        "`s3 cp`": copied,
        "`dynamodb scan`": lambda: len(aws("dynamodb", "scan", "--table-name", "Orders")["Items"]),
        "`athena`": query,
        "`glue get-tables`": lambda: sorted(
            table["Name"]
            for table in aws("glue", "get-tables", "--database-name", answers.DATABASE)["TableList"]
            if "orders" in table["Name"]
        ),
        "`cloudformation deploy --s3-bucket`": deployed,
    }
)
