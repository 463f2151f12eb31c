"""What exists already is not created over, neither by a call nor by a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud import Cloud

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

NAME = "taken-already"
COMMAND = {"Name": "pythonshell", "ScriptLocation": "s3://scripts/any.py"}
TARGETS = {"S3Targets": [{"Path": "s3://data/"}]}
SSE = {"S3Encryption": [{"S3EncryptionMode": "SSE-S3"}]}


def _job(mark: str) -> Any:
    return {"Name": NAME, "Role": mark, "Command": COMMAND}


def _crawler(mark: str) -> Any:
    return {"Name": NAME, "Role": mark, "Targets": TARGETS, "DatabaseName": "any"}


def _trigger(mark: str) -> Any:
    return {"Name": NAME, "Type": "ON_DEMAND", "Actions": [{"JobName": mark}]}


def _described(mark: str) -> Any:
    return {"Name": NAME, "Description": mark}


def _classifier(mark: str) -> Any:
    return {"JsonClassifier": {"Name": NAME, "JsonPath": mark}}


def _database(mark: str) -> Any:
    return {"DatabaseInput": {"Name": NAME, "Description": mark}}


def _security_configuration(mark: str) -> Any:
    del mark
    return {"Name": NAME, "EncryptionConfiguration": SSE}


# By type: its properties, the service, the name of its operations, the parameter of their name.
KINDS: dict[str, tuple[Callable[[str], Any], str, str, str]] = {
    "AWS::Glue::Job": (_job, "glue", "job", "JobName"),
    "AWS::Glue::Crawler": (_crawler, "glue", "crawler", "Name"),
    "AWS::Glue::Trigger": (_trigger, "glue", "trigger", "Name"),
    "AWS::Glue::Workflow": (_described, "glue", "workflow", "Name"),
    "AWS::Glue::Classifier": (_classifier, "glue", "classifier", "Name"),
    "AWS::Glue::Database": (_database, "glue", "database", "Name"),
    "AWS::Glue::SecurityConfiguration": (
        _security_configuration,
        "glue",
        "security_configuration",
        "Name",
    ),
    "AWS::Athena::WorkGroup": (_described, "athena", "work_group", "WorkGroup"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_existing_name_is_refused_and_stays_as_it_is(
    endpoint: Endpoint, cloud: Cloud, kind: str
) -> None:
    """By the API with the error that its reference has; a stack rolls back without a trace."""
    options, service, operation, parameter = KINDS[kind]
    client = endpoint.client(service)
    find = getattr(client, f"get_{operation}")
    getattr(client, f"create_{operation}")(**options("first"))
    before = _answer(find(**{parameter: NAME}))
    try:
        with pytest.raises(ClientError, match="already") as caught:
            getattr(client, f"create_{operation}")(**options("second"))
        # Athena has one error for all invalid requests.
        expected = "AlreadyExistsException" if service == "glue" else "InvalidRequestException"
        assert caught.value.response["Error"]["Code"] == expected
        resource = {"Type": kind, "Properties": options("third")}
        assert cloud.create(NAME, {"Taken": resource}) == "ROLLBACK_COMPLETE"
        ((name, status, reason),) = cloud.reasons(NAME)
        assert (name, status) == ("Taken", "CREATE_FAILED")
        assert "already" in reason
        assert _answer(find(**{parameter: NAME})) == before
    finally:
        getattr(client, f"delete_{operation}")(**{parameter: NAME})


def _answer(response: dict[str, Any]) -> dict[str, Any]:
    # moto says of a workgroup that it was created just now.
    response.get("WorkGroup", {}).pop("CreationTime", None)
    return {key: value for key, value in response.items() if key != "ResponseMetadata"}
