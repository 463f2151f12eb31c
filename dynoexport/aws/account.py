"""The edge to AWS: clients of one account and region, and calls side by side."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from dynoexport import __version__, naming
from dynoexport.aws.call_log import log_calls
from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import boto3
    from botocore.model import OperationModel
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from mypy_boto3_s3 import S3Client

_In = TypeVar("_In")
_Out = TypeVar("_Out")

# Enough to hide the latency of single objects; botocore's pool holds as many connections.
PARALLEL = 16
# Environment variables by which a user sets the retries.
_RETRY_SETTINGS = {"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"}


class NoRegion(DynoexportError):
    """No region is set."""


class EndpointRefused(DynoexportError):
    """An endpoint URL that botocore cannot use."""

    exit_code = 2


class NotAws(DynoexportError):
    """An answer that is not AWS's."""


@dataclass(frozen=True)
class Account:
    """One account and region with credentials. Clients are made on first use.

    Clients may be used by several threads, so all of them are made here and shared.
    """

    session: boto3.Session
    region: str
    endpoint_url: str | None = None

    def client(self, service: Any) -> Any:  # noqa: ANN401 - boto3 types a client by its literal name
        """A client of any service; the properties are those that are used often."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(max_pool_connections=PARALLEL, user_agent_extra=f"dynoexport/{__version__}")
        if not _RETRY_SETTINGS & set(os.environ):
            # botocore retries, and in adaptive mode slows down when AWS throttles:
            # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
            patient = Config(retries={"mode": "adaptive", "total_max_attempts": 10})
            config = config.merge(patient)
        try:
            client = self.session.client(
                service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )
        except ValueError as error:
            # A region that is malformed, for example.
            if isinstance(error, BotoCoreError):
                raise
            named = str(error).partition("Invalid endpoint: ")[2]
            url = named or self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")
            if not named and (not url or _is_web_address(url)):
                raise DynoexportError(
                    f"botocore refuses its settings: {error}",
                    hint="check the AWS_* variables and ~/.aws/config",
                ) from None
            raise _refuse_url(url) from None
        if not _is_web_address(client.meta.endpoint_url):
            raise _refuse_url(client.meta.endpoint_url)
        log_calls(client)
        client.meta.events.register("before-parse.*", _refuse_strange_answer)
        return client

    @cached_property
    def athena(self) -> AthenaClient:
        return self.client("athena")  # type: ignore[no-any-return]

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return self.client("cloudformation")  # type: ignore[no-any-return]

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self.client("cloudwatch")  # type: ignore[no-any-return]

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self.client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def glue(self) -> GlueClient:
        return self.client("glue")  # type: ignore[no-any-return]

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self.client("logs")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> S3Client:
        return self.client("s3")  # type: ignore[no-any-return]

    @cached_property
    def tagging(self) -> ResourceGroupsTaggingAPIClient:
        return self.client("resourcegroupstaggingapi")  # type: ignore[no-any-return]

    @cached_property
    def caller(self) -> str:
        """The ARN of whoever holds the credentials."""
        return str(self._identity["Arn"])

    @cached_property
    def account_id(self) -> str:
        return str(self._identity["Account"])

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return self.client("sts").get_caller_identity()  # type: ignore[no-any-return]

    @cached_property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return self.session.get_partition_for_region(self.region)

    @property
    def bucket(self) -> str:
        """The bucket of all exports."""
        return naming.bucket(self.account_id, self.region)

    @property
    def pause(self) -> float:
        """Seconds between two polls.

        An endpoint on this machine can be polled more often.
        """
        local = (self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL", "")).startswith(
            ("http://127.", "http://localhost")
        )
        return 0.3 if local else 3.0


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port parses it.
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and port != 0


def _refuse_url(url: str) -> EndpointRefused:
    return EndpointRefused(
        f"{url!r} is not the URL of an endpoint",
        hint="write it with its protocol, such as http://127.0.0.1:4600",
    )


def _refuse_strange_answer(
    operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object
) -> None:
    """Refuse what is in the place of AWS's answer, as a proxy or a login page sends it.

    botocore would turn it into an empty answer. It retries by itself from status 500 on.
    """
    status = response_dict["status_code"]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    if operation_model.has_streaming_output and status < HTTPStatus.MULTIPLE_CHOICES:
        # An object in S3 may have any content, but has an ETag:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        what = "" if "etag" in response_dict["headers"] else "an object without an ETag"
    else:
        what = _strangeness(operation_model, response_dict)
    if what:
        raise NotAws(
            f"{operation_model.name} was answered with {what}, not by AWS (HTTP {status})",
            hint="check the proxy, the network's login page and --endpoint-url",
        )


def _strangeness(operation_model: OperationModel, response: Mapping[str, Any]) -> str:
    """What is in the place of an answer; empty if it may be one: JSON, XML or CBOR."""
    body = response["body"].lstrip()
    if not body:
        # Many calls that answer with nothing have an empty body:
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html
        speaks_json = operation_model.metadata.get("protocol") == "json"
        answers = operation_model.output_shape is not None and operation_model.output_shape.members
        expected = speaks_json and answers and response["status_code"] == HTTPStatus.OK
        return "nothing" if expected else ""
    if body.lower().startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if body.startswith(b"{"):
        return "" if _is_json(body) else "broken JSON"
    if body.startswith(b"<"):
        return ""
    return "" if "cbor" in response["headers"].get("content-type", "") else "a text"


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def connect(
    *, profile: str | None = None, region: str | None = None, endpoint_url: str | None = None
) -> Account:
    """The account that the settings and the environment name, as for the ``aws`` command.

    Does not call AWS yet. ``AWS_PROFILE``, ``AWS_REGION``, ``AWS_DEFAULT_REGION`` and
    ``AWS_ENDPOINT_URL`` are used where an argument is None.

    Raises:
        NoRegion: neither argument, environment nor profile name a region.
    """
    import boto3

    # boto3 reads AWS_DEFAULT_REGION alone, the aws command AWS_REGION before it:
    # https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
    session = boto3.Session(profile_name=profile)
    region_name = region or os.environ.get("AWS_REGION") or session.region_name
    if not region_name:
        raise NoRegion(
            "no AWS region is set", hint="add --region, or set AWS_REGION, for example to us-east-1"
        )
    return Account(session=session, region=region_name, endpoint_url=endpoint_url)


def side_by_side(
    function: Callable[[_In], _Out],
    values: Iterable[_In],
    *,
    parallel: int = PARALLEL,
    on_interrupt: Callable[[], None] = lambda: None,
) -> list[_Out]:
    """The function's results in the values' order, ``parallel`` calls at a time.

    Ctrl-C reaches this thread alone, which then waits for the calls that have begun.
    ``on_interrupt`` ends long ones.
    """
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        try:
            return list(pool.map(function, values))
        except KeyboardInterrupt:
            on_interrupt()
            raise


def chunks(values: list[_In], size: int) -> list[list[_In]]:
    """The values in lists of at most ``size``.

    >>> chunks([1, 2, 3], 2)
    [[1, 2], [3]]
    """
    return [values[start : start + size] for start in range(0, len(values), size)]
