"""A Scan through a DynamoDB that throttles, breaks and drops: every item comes once."""

from __future__ import annotations

import json
import threading
import zlib
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from job_names import BUCKET

from dynoexport.jobs.scan import task as task_module
from dynoexport.jobs.scan.buffer import group_pieces, piece_items
from dynoexport.jobs.scan.coordinator import CoordinatorServer
from dynoexport.jobs.scan.rate_limit import RateLimiter
from dynoexport.jobs.scan.scheduler import Scheduler
from dynoexport.jobs.scan.specification import ScanSpecification
from dynoexport.jobs.scan.task import scan_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGES, ITEMS = 5, 3


class Faulty(BaseHTTPRequestHandler):
    """Five pages of three items in each segment; before each page, the faults of the server."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        start = asked.get("ExclusiveStartKey")
        place = 0 if start is None else int(start["id"]["S"].split("-")[1]) + 1
        with self.server.lock:
            faults = self.server.faults.setdefault(
                (asked["Segment"], place), list(self.server.before_page)
            )
            fault = faults.pop(0) if faults else None
        if fault is None:
            return self.answer(page(asked["Segment"], place))
        fault(self)
        return None

    def answer(self, body: bytes, status: int = 200, crc: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("x-amz-crc32", str(zlib.crc32(body) if crc is None else crc))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


def page(segment: int, place: int) -> bytes:
    items = [{"id": {"S": f"{segment}-{place}-{number}"}} for number in range(ITEMS)]
    answer: dict[str, Any] = {"Count": ITEMS, "Items": items, "ScannedCount": ITEMS}
    if place < PAGES - 1:
        answer["LastEvaluatedKey"] = {"id": {"S": f"{segment}-{place}"}}
    return json.dumps(answer, separators=(",", ":")).encode()


# --- the faults -------------------------------------------------------------------------------
def refuse(code: str, status: int = 400, **more: Any) -> Callable[[Faulty], None]:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no", **more}
    return lambda request: request.answer(json.dumps(body).encode(), status)


def damage(request: Faulty) -> None:
    request.answer(page(0, 0), crc=1)


def drop(request: Faulty) -> None:
    request.close_connection = True
    request.connection.close()


def truncate(request: Faulty) -> None:
    body = page(0, 0)
    request.send_response(200)
    request.send_header("Content-Length", str(2 * len(body)))
    request.end_headers()
    request.wfile.write(body)
    drop(request)


@pytest.fixture
def scan(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Scans two segments of a DynamoDB with the faults before each page; the items' keys."""
    servers: list[ThreadingHTTPServer] = []

    def scan(*before_page: Callable[[Faulty], None]) -> list[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
        server.lock, server.before_page, server.faults = threading.Lock(), before_page, {}  # type: ignore[attr-defined]
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address)
        monkeypatch.setattr(task_module, "BACKOFF", 0.001)
        monkeypatch.setattr(task_module, "BACKOFF_MAX", 0.05)
        limit = RateLimiter(1e6, -60.0)
        coordinator = CoordinatorServer(Scheduler(range(2), limit, 0), "127.0.0.1")
        with closing(coordinator):
            coordinator.open()
            task = ScanSpecification(
                table="Reviews",
                region="eu-west-1",
                segments=2,
                columns=(),
                selected=lambda _: True,
                whole=True,
                columnar=True,
                hot_units=256,
                bucket=BUCKET,
                prefix="temp/",
                address=coordinator.address,
            )
            records = [json.loads(text) for text in scan_task(task, [0])]
        scan.throttles = sum(record["throttles"] for record in records)  # type: ignore[attr-defined]
        pieces = [piece for record in records for piece in record["pieces"]]
        items = piece_items(group_pieces(pieces, 2), BUCKET, "eu-west-1")
        return sorted(item["id"]["S"] for item in items)

    yield scan
    for server in servers:
        server.shutdown()
        server.server_close()


EVERY_ITEM = sorted(
    f"{segment}-{place}-{number}"
    for segment in range(2)
    for place in range(PAGES)
    for number in range(ITEMS)
)


def test_a_throttled_page_is_read_later(scan: Any) -> None:
    assert scan(refuse("ProvisionedThroughputExceededException")) == EVERY_ITEM
    assert scan.throttles == 2 * PAGES


@pytest.mark.parametrize(
    "fault",
    [
        damage,
        drop,
        truncate,
        refuse("InternalServerError", 500),
        refuse("RequestLimitExceeded"),
        refuse(
            "ThrottlingException",
            ThrottlingReasons=[{"reason": "TableReadKeyRangeThroughputExceeded"}],
        ),
    ],
    ids=["damaged", "dropped", "truncated", "500", "limit", "key range"],
)
def test_every_item_is_read_once_whatever_happens_to_a_page(scan: Any, fault: Any) -> None:
    assert scan(fault, fault) == EVERY_ITEM


def test_an_error_that_no_retry_can_fix_ends_the_task_at_once(scan: Any) -> None:
    with pytest.raises(ClientError, match="AccessDeniedException"):
        scan(refuse("AccessDeniedException"))


def test_a_table_that_breaks_for_good_ends_the_task(scan: Any) -> None:
    with pytest.raises(ClientError, match="InternalServerError"):
        scan(*[refuse("InternalServerError", 500)] * 50)
