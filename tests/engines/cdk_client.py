"""The cdk command against the endpoint: bootstrap, deployments of CfnInclude, removal."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import artifacts
import client_program
import clients_table

if TYPE_CHECKING:
    from pathlib import Path

    from dynoexport.local.context import Endpoint

STACK = "cdk-orders"
SAID_MAX = 200


def answers(endpoint: Endpoint, scratch: Path) -> dict[str, Any]:
    """The answer of each step, in order.

    Raises:
        UnavailableError: node, npm or a package cannot be had.
    """
    artifacts.client("node")
    (scratch / "node_modules").symlink_to(artifacts.node_modules(clients_table.CDK))
    shutil.copy(clients_table.CDK / "app.js", scratch)

    def run(credentials: str, *words: str) -> str:
        done = client_program.run(
            [scratch / "node_modules" / ".bin" / "cdk", *words, "--no-color"],
            endpoint,
            scratch,
            home=scratch,
            variables={
                "CREDENTIALS": credentials,
                "TEMPLATE": str(clients_table.ROOT / "templates" / "table.yaml"),
                # It asks a web site for news otherwise.
                "CDK_DISABLE_VERSION_CHECK": "1",
            },
        )
        if done.returncode:
            return _refusal(done.stderr + done.stdout)
        stacks = endpoint.client("cloudformation").describe_stacks()["Stacks"]
        states = {stack["StackName"]: stack["StackStatus"] for stack in stacks}
        return str(states.get("CDKToolkit" if words[0] == "bootstrap" else STACK, "no stack"))

    app = ("--app", "node app.js", "--no-notices")
    deploy = ("deploy", *app, "--require-approval", "never")
    return {
        "`bootstrap`": run("", "bootstrap", "aws://123456789012/us-east-1", "--no-notices"),
        "`deploy` with cdk's roles": run("cdk's roles", *deploy),
        "`deploy` of `CfnInclude` with `CliCredentialsStackSynthesizer`": run(
            "own credentials", *deploy
        ),
        "`destroy`": run("own credentials", "destroy", *app, "--force"),
    }


def _refusal(printed: str) -> str:
    """The endpoint's own sentence, or the end of what cdk printed."""
    lines = [line for line in printed.splitlines() if clients_table.is_refusal(line)]
    if not lines:
        return f"Error: {printed.strip()[-500:]}"
    start = min(lines[0].find(words) for words in clients_table.REFUSALS if words in lines[0])
    return lines[0][start:][:SAID_MAX]
