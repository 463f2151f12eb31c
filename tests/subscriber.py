"""A subscriber of topics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from waiting import until

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint


class Mailbox:
    """A queue; what is received from it is not received again."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self.arn = f"arn:aws:sqs:{endpoint.region}:{endpoint.account}:{name}"
        self._sqs, self._sns = endpoint.client("sqs"), endpoint.client("sns")
        once = {"VisibilityTimeout": "43200"}
        self._url = self._sqs.create_queue(QueueName=name, Attributes=once)["QueueUrl"]

    def subscribe(self, topic: str, *, raw: bool = False) -> None:
        attributes = {"RawMessageDelivery": "true"} if raw else {}
        self._sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self.arn, Attributes=attributes
        )

    def collect(self, *, least: int) -> list[Any]:
        """The messages since the last call, as soon as there are that many."""
        received: list[Any] = []

        def enough() -> bool:
            received.extend(self.receive())
            return len(received) >= least

        until(enough)
        return received

    def receive(self) -> list[Any]:
        """The messages since the last call."""
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", ())]
