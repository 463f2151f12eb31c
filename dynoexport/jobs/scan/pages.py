"""Pages of a Scan as DynamoDB sends them."""

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
    """An answer of Scan: its items as a JSON array, and the rest with an empty array in its place.

    The items are not parsed: the array ends where what is left without it is an answer again. In
    the names and values of the rest, quotes are escaped, so that no other place can pass.

    Raises:
        BadPage: it is no answer.
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
        raise BadPage("a page of the Scan is no JSON object")
    items = json.dumps(answer.pop("Items", []), ensure_ascii=False, separators=(",", ":"))
    return items.encode(), json.dumps({**answer, "Items": []}).encode()


def is_envelope(text: bytes) -> bool:
    try:
        found = json.loads(text.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and ENVELOPE.issuperset(found)


class RawBody(io.BytesIO):
    """A body as botocore expects it of urllib3."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class PageReader:
    """Scans page by page and leaves the items as DynamoDB has sent them.

    botocore signs, and parses all but the items: parsing them takes 95 of 100 parts of a core's
    time (docs/benchmarks.md). Its event before-send lets one answer in its place.
    """

    def __init__(self, scan: ScanSpecification) -> None:
        # On an executor, where no client can be sent.
        from botocore.httpsession import URLLib3Session

        self._scan = scan
        # As botocore's own clients have it: without, a request waits 40 ms for an acknowledgment.
        # botocore's type stubs take the options for text.
        at_once: Any = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self._session = URLLib3Session(max_pool_connections=STREAMS, socket_options=at_once)
        self._answers = threading.local()
        # Not tried again here: a throttled segment stands aside while others are read.
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
            raise BadPage("a page of the Scan was damaged on its way")
        self._answers.items, rest = cut_page(body)
        # urllib3's headers and botocore's are one mapping here, two types in the stubs.
        headers: Any = answer.headers
        return AWSResponse(answer.url, answer.status_code, headers, RawBody(rest))

    def read(self, segment: int, start: Mapping[str, Any] | None, items: int) -> Page:
        """The page that begins behind ``start``, of at most ``items`` items, 0 for a whole one."""
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
    """A page: its items as a JSON array, how many they are, what it cost, where the next begins."""

    body: bytes
    items: int
    units: float
    next: Mapping[str, Any] | None


class BadPage(Exception):
    """A page that was damaged on its way."""


FAILURES_MAX = 12
OK = 200
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
THROTTLES = frozenset(
    ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException")
)
TRANSIENT = frozenset(("InternalServerError", "ServiceUnavailable", "500", "502", "503", "504"))
