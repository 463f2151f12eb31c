"""``AWS_ENDPOINT_URL`` for every boto3: those before 1.28 do not know it.

Python shell jobs have boto3 1.21, Glue 4.0 has 1.24: without this they would call AWS itself.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import functools
import os
from typing import Any


def install() -> None:
    """Let every new client use the endpoint that the environment names at that moment."""
    from botocore.session import Session

    create = Session.create_client

    @functools.wraps(create)
    def create_client(session: Session, service_name: str, *args: Any, **options: Any) -> Any:
        # AWS's variable for one service, such as AWS_ENDPOINT_URL_DYNAMODB.
        own = "AWS_ENDPOINT_URL_" + service_name.upper().replace("-", "_")
        if options.get("endpoint_url") is None:
            options["endpoint_url"] = os.environ.get(own) or os.environ.get("AWS_ENDPOINT_URL")
        return create(session, service_name, *args, **options)

    Session.create_client = create_client  # type: ignore[assignment, method-assign]


def warm_up() -> None:
    """Import what clients need. This one has no credentials and is not used."""
    import boto3

    boto3.Session(region_name="us-east-1").client("sts")
