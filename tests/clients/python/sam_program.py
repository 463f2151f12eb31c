"""The sam command: a deployment with a bucket of its own for the template, and its removal."""

from __future__ import annotations

import os
from pathlib import Path

import answers
import boto3
import commands

TEMPLATE = Path(__file__).parents[3] / "templates" / "table.yaml"
STACK = "sam-orders"
cloudformation = boto3.client("cloudformation")


def deployed() -> str:
    commands.run(
        *("samcli", "deploy", "--template-file", str(TEMPLATE), "--stack-name", STACK),
        *("--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset"),
        *("--parameter-overrides", "TableName=Orders", "OutputFormat=csv"),
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return str(stack["StackStatus"])


def deleted() -> list[str]:
    commands.run("samcli", "delete", "--stack-name", STACK, "--no-prompts", "--region", "us-east-1")
    stacks = cloudformation.describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in stacks if stack["StackName"] == STACK]


os.environ["SAM_CLI_TELEMETRY"] = "0"
answers.answer({"`deploy --resolve-s3`": deployed, "`delete`": deleted})
