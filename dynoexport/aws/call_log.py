"""Each AWS call as a line of the log: what was called, how long it took, how it ended.

A line has no parameter of the call and nothing of its answer but the request's ID and the error:
neither credentials nor items get into a log.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.client import BaseClient
    from botocore.model import OperationModel

logger = logging.getLogger(__name__)

_STARTED = "dynoexport.started"
# DynamoDB's messages can quote an item.
_QUOTES_DATA = {"dynamodb"}


def log_calls(client: BaseClient) -> None:
    """Write each call of the client to the log, at level DEBUG.

    botocore's events see a call with all its attempts as one:
    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
    """
    service = client.meta.service_model.service_name

    def started(context: dict[str, Any], **_: object) -> None:
        context[_STARTED] = time.monotonic()

    def answered(
        parsed: Mapping[str, Any], model: OperationModel, context: Mapping[str, Any], **_: object
    ) -> None:
        logger.debug("%s.%s %s", service, model.name, _outcome(service, parsed, _took(context)))

    def failed(
        exception: Exception, context: Mapping[str, Any], event_name: str, **_: object
    ) -> None:
        # botocore's own errors do not say which call it was; errors of services do.
        exception.operation_name = event_name.rpartition(".")[2]  # type: ignore[attr-defined]
        # The text of the exception names the host; its class says what happened.
        logger.debug("%s: %s after %s", service, type(exception).__name__, _took(context))

    client.meta.events.register("before-call.*", started)
    client.meta.events.register("after-call.*", answered)
    client.meta.events.register("after-call-error.*", failed)


def _took(context: Mapping[str, Any]) -> str:
    now = time.monotonic()
    return f"{(now - context.get(_STARTED, now)) * 1000:,.0f} ms"


def _outcome(service: str, parsed: Mapping[str, Any], took: str) -> str:
    """Status, duration, request ID, retries and error.

    >>> answer = {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "4f1"}}
    >>> _outcome("glue", answer, "12 ms")
    '200 in 12 ms, request 4f1'
    >>> error = {"Code": "EntityNotFoundException", "Message": "No table"}
    >>> _outcome("glue", {**answer, "Error": error}, "12 ms")
    '200 in 12 ms, request 4f1, EntityNotFoundException: No table'
    """
    about = parsed.get("ResponseMetadata", {})
    text = f"{about.get('HTTPStatusCode')} in {took}, request {about.get('RequestId')}"
    if about.get("RetryAttempts"):
        text += f", retries {about['RetryAttempts']}"
    error = parsed.get("Error", {})
    if error.get("Code"):
        text += f", {error['Code']}"
        # Only the first line: for a refused signature the others show what was signed.
        message = str(error.get("Message", "")).strip().partition("\n")[0]
        if message and service not in _QUOTES_DATA:
            text += f": {message}"
    return text
