"""Objects that may be missing."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from dynoexport.jobs.s3 import read_object


@pytest.fixture
def s3() -> Any:
    return boto3.client("s3", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")


def test_a_denied_object_that_is_not_listed_is_missing(s3: Any) -> None:
    """S3 may deny a missing key to a caller that may list only some prefixes."""
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        stub.add_response("list_objects_v2", {"KeyCount": 0})
        assert read_object(s3, "bucket", "manifests/x.json") is None


def test_a_denied_object_that_is_listed_is_denied(s3: Any) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        stub.add_response("list_objects_v2", {"KeyCount": 1})
        with pytest.raises(ClientError, match="AccessDenied"):
            read_object(s3, "bucket", "manifests/x.json")
