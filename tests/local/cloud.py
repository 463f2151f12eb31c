"""CloudFormation on the endpoint as tests use it, and resources for their templates."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint

DAILY = "cron(0 10 * * ? *)"
WEEKLY = "cron(30 4 ? * MON *)"


class Cloud:
    """Stacks by change sets, as `aws cloudformation deploy` makes them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.api = endpoint.client("cloudformation")
        self.glue = endpoint.client("glue")
        self.s3 = endpoint.client("s3")
        self.stacks: list[str] = []
        self._numbers = itertools.count()

    def plan(self, stack: str, resources: Any, **template: Any) -> dict[str, Any]:
        """Make a change set of type ``kind`` and describe it.

        Of the parameters ``given``, None is the previous value. ``imported`` has the identifiers
        of existing resources by their logical IDs.
        """
        parameters = template.pop("given", {})
        imported = template.pop("imported", {})
        more = {"ResourcesToImport": to_import(resources, imported)} if imported else {}
        name = f"change-{next(self._numbers)}"
        self.api.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType=template.pop("kind", "UPDATE" if stack in self.stacks else "CREATE"),
            TemplateBody=json.dumps({"Resources": resources, **template}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": key, "UsePreviousValue": True}
                if value is None
                else {"ParameterKey": key, "ParameterValue": value}
                for key, value in parameters.items()
            ],
            **more,
        )
        if stack not in self.stacks:
            self.stacks.append(stack)
        described: dict[str, Any] = self.api.describe_change_set(
            StackName=stack, ChangeSetName=name
        )
        return described

    def create(self, stack: str, resources: Any, **template: Any) -> str:
        """Call CreateStack and return the last status. ``call`` holds further parameters."""
        call = template.pop("call", {})
        body = json.dumps({"Resources": resources, **template})
        self.api.create_stack(StackName=stack, TemplateBody=body, **call)
        self.stacks.append(stack)
        return self.status(stack)

    def update(self, stack: str, resources: Any, **template: Any) -> str:
        """Call UpdateStack and return the last status."""
        call = template.pop("call", {})
        body = json.dumps({"Resources": resources, **template})
        self.api.update_stack(StackName=stack, TemplateBody=body, **call)
        return self.status(stack)

    def execute(self, plan: dict[str, Any]) -> str:
        """The status the stack ends in."""
        self.api.execute_change_set(
            StackName=plan["StackName"], ChangeSetName=plan["ChangeSetName"]
        )
        return self.status(plan["StackName"])

    def deploy(self, stack: str, resources: Any, **template: Any) -> str:
        """Deploy; the status the stack ends in."""
        return self.execute(self.plan(stack, resources, **template))

    def describe(self, stack: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_stacks(StackName=stack)["Stacks"][0]
        return found

    def status(self, stack: str) -> str:
        return str(self.describe(stack)["StackStatus"])

    def events(self, stack: str, since: str) -> list[str]:
        """The resources and their states, oldest first, after the stack was ``since``."""
        events = self.api.describe_stack_events(StackName=stack)["StackEvents"]
        statuses: list[str] = []
        for event in events:
            own = event["PhysicalResourceId"] == event["StackId"]
            if own and event["ResourceStatus"] == since:
                break
            who = "stack" if own else event["LogicalResourceId"]
            statuses.insert(0, f"{who} {event['ResourceStatus']}")
        return statuses

    def buckets(self) -> set[str]:
        return {entry["Name"] for entry in self.s3.list_buckets()["Buckets"]}

    def reasons(self, stack: str) -> list[tuple[str, str, str]]:
        """The failed resources: logical ID, status, reason."""
        events = self.api.describe_stack_events(StackName=stack)["StackEvents"]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event["ResourceStatusReason"])
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def triggers(self, workflow: str) -> dict[str, dict[str, Any]]:
        pages = self.glue.get_paginator("get_triggers").paginate()
        found = [trigger for page in pages for trigger in page["Triggers"]]
        return {
            trigger["Name"]: trigger for trigger in found if trigger.get("WorkflowName") == workflow
        }

    def workflows(self) -> list[str]:
        pages = self.glue.get_paginator("list_workflows").paginate()
        return [name for page in pages for name in page["Workflows"]]


def to_import(resources: Any, identifiers: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "LogicalResourceId": name,
            "ResourceType": resources.get(name, {}).get("Type", "AWS::S3::Bucket"),
            "ResourceIdentifier": identifier,
        }
        for name, identifier in identifiers.items()
    ]


def workflow(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Glue::Workflow", "Properties": {"Name": name, **properties}}


def start(name: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Glue::Trigger",
        "Properties": {
            "Name": name,
            "Type": "SCHEDULED",
            "Schedule": DAILY,
            "WorkflowName": {"Ref": "Flow"},
            "StartOnCreation": False,
            "Actions": [{"JobName": "export"}],
            **properties,
        },
    }


def bucket(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}, **fields}


def changes(plan: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """The changes of a change set: action, logical ID, replacement."""
    found = [change["ResourceChange"] for change in plan["Changes"]]
    return [
        (change["Action"], change["LogicalResourceId"], change.get("Replacement"))
        for change in found
    ]
