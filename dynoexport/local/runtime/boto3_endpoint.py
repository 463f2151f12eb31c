"""``AWS_ENDPOINT_URL`` for every boto3: those before 1.28 do not know it.

Python shell jobs have boto3 1.21, Glue 4.0 has 1.24: without this they would call AWS itself.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


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


# What jobs call, the first ones first.
_SERVICES = ("glue", "s3", "cloudwatch", "dynamodb", "athena")


def warm_up() -> Iterator[str]:
    """Import what jobs need and read the descriptions of services, for all sessions of the process.

    The clients here are not used. Their credentials are no credentials: without any, botocore
    asks the network for some.
    """
    import boto3
    import botocore.loaders
    import botocore.session
    from botocore.exceptions import UnknownServiceError

    loader = botocore.loaders.create_loader()
    botocore.session.create_loader = lambda *_: loader
    session: Any = boto3.Session("none", "none", region_name="us-east-1")
    yield "boto3"
    for service in _SERVICES:
        session.client(service)
        with suppress(UnknownServiceError):
            loader.load_service_model(service, "paginators-1")
        yield service
    # Not every Glue has it.
    with suppress(ImportError):
        import pyarrow.compute
        import pyarrow.json
        import pyarrow.parquet  # noqa: F401
    yield "pyarrow"
