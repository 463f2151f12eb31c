"""Pages of a Scan, as DynamoDB sends them."""

from __future__ import annotations

import io
import json
import socket
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from dynoexport.jobs.clients import table_client
from dynoexport.jobs.scan.segments import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from dynoexport.jobs.scan.specification import ScanSpecification

ENVELOPE = frozenset(("ConsumedCapacity", "Count", "Items", "LastEvaluatedKey", "ScannedCount"))
ITEMS_BEGIN = b'"Items":['
CUTS_TRIED = 4


def cut_page(body: bytes) -> tuple[bytes, bytes]:
    """Cut the items out of a Scan's answer: their JSON array, and the rest with an empty array.

    The items are not parsed. The array ends where the text around it is a valid answer by itself.
    Quotes are escaped in the names and values of the rest, so no other place can match.

    Raises:
        BadPage: it is not an answer of Scan.
    """
    begin = body.find(ITEMS_BEGIN) + len(ITEMS_BEGIN) - 1
    end = len(body)
    for _ in range(CUTS_TRIED):
        end = body.rfind(b"]", begin, end)
        if begin < len(ITEMS_BEGIN) or end < 0:
            break
        rest = b"%b[]%b" % (body[:begin], body[end + 1 :])
        if is_envelope(rest):
            return body[begin : end + 1], rest
    try:
        answer = json.loads(body.decode())
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise BadPage("a page of the Scan is not a JSON object")
    items = json.dumps(answer.pop("Items", []), ensure_ascii=False, separators=(",", ":"))
    return items.encode(), json.dumps({**answer, "Items": []}).encode()


def is_envelope(text: bytes) -> bool:
    try:
        content = json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and ENVELOPE.issuperset(content)


class RawBody(io.BytesIO):
    """A body as botocore expects it from urllib3."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class PageReader:
    """Scans page by page, and leaves the items as DynamoDB sent them.

    botocore signs the requests and parses everything but the items. Parsing the items would take
    95 % of a core's time (docs/benchmarks.md). A handler of botocore's event before-send can answer
    a request.
    """

    def __init__(self, scan: ScanSpecification) -> None:
        # On an executor: Spark cannot send a client.
        from botocore.httpsession import URLLib3Session

        self._scan = scan
        # Like botocore's own clients: without it, a request waits 40 ms for an acknowledgment.
        # botocore's type stubs expect text here.
        at_once: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self._session = URLLib3Session(max_pool_connections=STREAMS, socket_options=at_once)
        self._answers = threading.local()
        # No retries here: a throttled segment waits while others are read.
        config = Config(retries={"max_attempts": 0}, max_pool_connections=STREAMS)
        self._client = table_client(scan.role, region_name=scan.region, config=config)
        # The stubs do not know that a handler of before-send may answer the request.
        answering: Any = self._send
        self._client.meta.events.register("before-send.dynamodb.Scan", answering)

    def _send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        from botocore.awsrequest import AWSResponse

        answer = self._session.send(request)
        if answer.status_code != OK:
            return answer
        body = answer.content
        length = answer.headers.get("content-length", len(body))
        checksum = answer.headers.pop("x-amz-crc32", zlib.crc32(body))
        if int(length) != len(body) or int(checksum) != zlib.crc32(body):
            raise BadPage("a page of the Scan was damaged in transit")
        self._answers.items, rest = cut_page(body)
        # urllib3's and botocore's headers are both mappings, but have two types in the stubs.
        headers: Any = answer.headers
        return AWSResponse(answer.url, answer.status_code, headers, RawBody(rest))

    def read(self, segment: int, start: Mapping[str, Any] | None, items: int) -> Page:
        """The page after ``start``, with at most ``items`` items; 0 for a whole page."""
        asked: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
        if items:
            asked["Limit"] = items
        if self._scan.columns:
            names = {f"#{number}": name for number, name in enumerate(self._scan.columns)}
            asked["ExpressionAttributeNames"] = names
            asked["ProjectionExpression"] = ",".join(names)
        answer = self._client.scan(
            TableName=self._scan.table,
            Segment=segment,
            TotalSegments=self._scan.segments,
            ReturnConsumedCapacity="TOTAL",
            **asked,
        )
        return Page(
            body=self._answers.items,
            items=answer["Count"],
            units=answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0),
            next=answer.get("LastEvaluatedKey"),
        )


@dataclass(frozen=True)
class Page:
    """A page: its items as a JSON array, their number, read units, and the next page's start."""

    body: bytes
    items: int
    units: float
    next: Mapping[str, Any] | None


class BadPage(Exception):
    """A page that was damaged in transit."""


# More failures in a row on one segment end the task. Throttles never do.
FAILURES_MAX = 12
OK = 200
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
THROTTLES = frozenset(
    ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
)
TRANSIENT = frozenset(("InternalServerError", "ServiceUnavailable", "500", "502", "503", "504"))
