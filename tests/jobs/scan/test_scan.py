"""The segmented Scan: segments, the one limit, what the tasks do with DynamoDB's answers."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import ExitStack, closing
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest
import waiting
from botocore.exceptions import ClientError
from job_names import BUCKET

from dynoexport.jobs.scan import connections, coordinator
from dynoexport.jobs.scan.buffer import group_pieces, piece_items
from dynoexport.jobs.scan.capacity import table_capacity
from dynoexport.jobs.scan.coordinator import (
    CAPACITY_SECONDS,
    CoordinatorClient,
    CoordinatorServer,
)
from dynoexport.jobs.scan.pages import cut_page
from dynoexport.jobs.scan.rate_limit import RateLimiter
from dynoexport.jobs.scan.scheduler import Grant, Scheduler
from dynoexport.jobs.scan.segments import hot_segment_units, segments_for
from dynoexport.jobs.scan.specification import ScanSpecification
from dynoexport.jobs.scan.task import scan_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MB = 1024 * 1024
GB = 1024 * MB


# --- how many segments ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table_bytes", "rate", "tasks", "segments"),
    [
        (300, 1.25, 36, 1),
        (0, 1.25, 36, 36),
        (10 * MB, 1.25, 36, 10),
        (10 * GB, 50, 36, 144),
        (10 * GB, 3_000, 36, 4_000),
        (1_000 * GB, 300, 36, 8_000),
        (10**18, 20_000, 36, 1_000_000),
    ],
)
def test_segments_follow_tasks_tail_and_bytes(
    table_bytes: int, rate: float, tasks: int, segments: int
) -> None:
    """None smaller than a page; 4 a task, rate / 0.75 for the tail, 128 MB each; a million."""
    assert segments_for(table_bytes, rate, tasks) == segments


# --- what the table allows --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("described", "units", "source"),
    [
        ({"ProvisionedThroughput": {"ReadCapacityUnits": 5}}, 5, "provisioned"),
        (
            {
                "ProvisionedThroughput": {"ReadCapacityUnits": 0},
                "OnDemandThroughput": {"MaxReadRequestUnits": 700},
                "WarmThroughput": {"ReadUnitsPerSecond": 12_000},
            },
            700,
            "on-demand maximum",
        ),
        (
            {
                "OnDemandThroughput": {"MaxReadRequestUnits": -1},
                "WarmThroughput": {"ReadUnitsPerSecond": 12_000},
            },
            12_000,
            "on-demand, warm throughput",
        ),
        ({}, 41_000, "on-demand, account quota"),
    ],
)
def test_capacity_is_the_first_known_value(
    described: dict[str, Any], units: float, source: str
) -> None:
    found = table_capacity(described, lambda: 41_000)
    assert (found.units, found.source) == (units, source)


# --- the limit --------------------------------------------------------------------------------
def drained(limit: RateLimiter, units: float, seconds: float) -> list[float]:
    """The moments at which a reader that always asks for this many units may use them."""
    moments, now = [], 0.0
    while now < seconds:
        now += limit.acquire(units, now)
        moments.append(now)
    return moments


def test_the_rate_rises_to_the_target_and_never_beyond() -> None:
    moments = drained(RateLimiter(1_000, 0.0), 10, 60)
    each_second = [sum(second <= moment < second + 1 for moment in moments) for second in range(60)]
    assert each_second[0] * 10 <= 200
    assert each_second[:10] == sorted(each_second[:10])
    assert all(980 <= count * 10 <= 1_000 for count in each_second[11:])


def test_units_do_not_add_up_without_requests() -> None:
    limit = RateLimiter(990, 0.0)
    limit.PACE = 1.0
    limit.acquire(99, 100.0)
    assert [round(limit.acquire(99, 100.0), 3) for _ in range(3)] == [0.1, 0.2, 0.3]


def test_unused_units_are_lent_again_and_overdrawn_units_delay_the_next_loan() -> None:
    limit = RateLimiter(1_000, 0.0)
    limit.PACE = 1.0
    limit.acquire(100, 100.0)
    limit.acquire(100, 100.0)
    limit.correct(100, 50, 100.0)
    assert round(limit.acquire(10, 100.0), 3) == 0.15
    limit.correct(10, 40, 100.0)
    assert round(limit.acquire(1, 100.0), 3) == 0.19


def test_units_are_lent_at_most_a_moment_ahead() -> None:
    """A loan that takes longer is the exception."""
    limit = RateLimiter(1_000, 0.0)
    assert limit.free_in(10, 100.0) == 0
    limit.acquire(500, 100.0)
    assert limit.free_in(10, 100.0) == pytest.approx(0.5 / 0.99 - 0.1)
    assert limit.free_in(500, 100.0) == pytest.approx(0.5 / 0.99 - 0.5)


def test_a_throttle_cuts_the_rate_once_a_second_and_it_recovers() -> None:
    limit = RateLimiter(1_000, 0.0)
    for _ in range(5):
        limit.throttled(60.0)
    assert round(limit.rate(60.0)) == 800
    limit.throttled(61.5)
    assert round(limit.rate(61.5)) == 664
    assert round(limit.rate(62.5)) == 684
    assert limit.rate(90.0) == 1_000
    for second in range(100, 200):
        limit.throttled(float(second))
    assert limit.rate(200.0) >= 50


def test_a_new_capacity_becomes_the_target() -> None:
    """A lower capacity takes effect at once, a higher one slowly."""
    limit = RateLimiter(1_000, 0.0)
    limit.retarget(500, 60.0)
    assert limit.rate(60.0) == 500
    limit.retarget(2_000, 120.0)
    assert limit.rate(120.0) == 500
    assert limit.rate(140.0) == 2_000


@pytest.mark.parametrize("changed", [60.01, 61.0, 62.5, 64.99])
@pytest.mark.parametrize("factor", [0.9, 0.5, 0.1])
def test_no_ten_seconds_go_beyond_a_lower_limit(changed: float, factor: float) -> None:
    """The run looks every five seconds, and the capacity has changed some time before a look."""
    limit, units, lower = RateLimiter(1_000, 0.0), 10.0, 1_000 * factor
    now, looked, lent = 50.0, 50.0, []
    while now < 120:
        now += limit.acquire(units, now)
        while looked + CAPACITY_SECONDS <= now:
            looked += CAPACITY_SECONDS
            limit.retarget(lower if looked > changed else 1_000, looked)
        lent.append(now)
    after = [at for at in lent if at >= changed]
    for begin in after:
        used = units * sum(begin <= at < begin + 10 for at in after)
        assert used <= max(1.1 * 10 * lower, 1_000 * CAPACITY_SECONDS + units)


def test_a_limit_that_stays_is_used_and_cut_as_before() -> None:
    limit = RateLimiter(1_000, 0.0)
    limit.acquire(5_000, 60.0)
    limit.retarget(1_000, 64.0)
    assert limit.acquire(10, 66.0) == 0
    limit.throttled(66.5)
    limit.retarget(1_000, 66.6)
    assert round(limit.rate(67.5)) == 820


# --- the dispatcher ---------------------------------------------------------------------------
def dispatcher(target: float, segments: int = 3, item_bytes: float = 0) -> Any:
    limit = RateLimiter(target, -60.0)
    return Scheduler(range(segments), limit, item_bytes)


def test_segments_of_a_lost_task_are_dealt_again() -> None:
    deal = dispatcher(1_000)
    assert [deal.take("a"), deal.take("b"), deal.take("a"), deal.take("b")] == [0, 1, 2, None]
    deal.done(0)
    deal.lost("a")
    assert [deal.take("b"), deal.take("b")] == [2, None]


def test_segments_of_a_lost_task_are_dealt_first() -> None:
    """Such a segment started early, and may be the longest."""
    deal = dispatcher(1_000, segments=4)
    assert [deal.take("a"), deal.take("b")] == [0, 1]
    deal.lost("a")
    assert [deal.take("b"), deal.take("b"), deal.take("b"), deal.take("b")] == [0, 2, 3, None]


def lent(deal: Any, reader: str = "a/0", now: float = 0.0) -> float:
    found: float = deal.turn(reader, now).lent
    return found


def test_pages_are_whole_where_the_limit_is_high_and_small_where_it_is_low() -> None:
    """A page takes a tenth of a second's units. Each page corrects the known size of the items."""
    assert dispatcher(10_000).turn("a/0", 0.0) == Grant(0.0, 0, 128)
    low = dispatcher(100, item_bytes=2_048)
    assert low.turn("a/0", 0.0) == Grant(0.0, 40, 10)
    low.read(10, 5, 40, 0.0)
    assert low.turn("a/0", 0.0).items == 80
    assert dispatcher(1, item_bytes=400_000).turn("a/0", 0.0).items == 1


def test_a_reader_that_asks_too_early_gets_the_time_to_ask_again() -> None:
    """The more readers wait, the later the time."""
    deal = dispatcher(100)
    while lent(deal):
        pass
    first, second = deal.turn("b/0", 0.0), deal.turn("c/0", 0.0)
    assert (first.lent, second.lent) == (0, 0)
    assert 0 < first.wait < second.wait
    # A quarter of a loan's time for each who waits; a/0 is the first of them.
    loan = 10 / 100
    assert first.wait == pytest.approx(loan / 0.99 - loan + 2 * 0.25 * loan)
    assert second.wait - first.wait == pytest.approx(0.25 * loan)
    assert lent(deal, "b/0", first.wait + 1) == 10


def test_a_reader_of_a_hot_segment_does_not_queue() -> None:
    deal = dispatcher(100)
    while lent(deal):
        pass
    turn = deal.turn("b/0", 0.0, hot=True)
    assert turn.lent == 10
    assert turn.wait > 0


@pytest.mark.parametrize(
    ("table_bytes", "segments", "units"),
    [(GB, 4, 2 * 32_768), (GB, 10_000, 256), (0, 4, float("inf"))],
)
def test_a_segment_is_hot_from_twice_the_mean_on(
    table_bytes: int, segments: int, units: float
) -> None:
    """It also has at least two pages. Without figures of the table no segment is hot."""
    assert hot_segment_units(table_bytes, segments) == units


def test_a_hot_partition_does_not_slow_the_others() -> None:
    deal = dispatcher(1_000)
    for _ in range(10):
        deal.read(0, 0, 0, 0.0)
    deal.throttled(0, None, 0.0)
    deal.throttled(0, True, 0.0)
    assert lent(deal) == 100


def test_a_table_that_refuses_most_pages_is_read_more_slowly() -> None:
    deal = dispatcher(500, item_bytes=1_024)
    before = lent(deal)
    deal.throttled(before, None, 0.0)
    assert lent(deal) == pytest.approx(before * 0.8)
    refusing = dispatcher(500, item_bytes=1_024)
    for _ in range(10):
        refusing.read(0, 0, 0, 0.0)
    refusing.throttled(0, False, 0.0)
    assert lent(refusing) == pytest.approx(40)


# --- cutting a page ---------------------------------------------------------------------------
ODD = ['}],"Count":1', '"}]', "}]}", "]", '"Items":[', "\\", '\\"}],"', "é\u2028\n"]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("odd", ODD)
def test_a_page_is_cut_wherever_its_texts_look_like_its_end(
    odd: str, order: int, separators: tuple[str, str]
) -> None:
    items = [{"Items": {"L": [{"S": odd}]}, odd: {"M": {"Count": {"N": "1"}}}}]
    answer = {
        "ConsumedCapacity": {"TableName": "T", "CapacityUnits": 0.5},
        "Count": 1,
        "Items": items,
        "LastEvaluatedKey": {odd: {"S": odd}},
        "ScannedCount": 1,
    }
    body = json.dumps(dict(list(answer.items())[::order]), separators=separators).encode()
    cut, rest = cut_page(body)
    assert json.loads(cut) == items
    assert json.loads(rest) == {**answer, "Items": []}


def test_a_page_without_items_is_cut_too() -> None:
    assert cut_page(b'{"Count":0,"Items":[],"ScannedCount":0}')[0] == b"[]"


# --- tasks against a table --------------------------------------------------------------------
@pytest.fixture
def table(aws: Any) -> Callable[..., None]:
    """Makes the table with so many items of about 300 bytes."""

    def table(items: int) -> None:
        aws.dynamodb.create_table(
            TableName="Reviews",
            KeySchema=[{"AttributeName": "User", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "User", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(items):
            item = {
                "User": {"S": str(number)},
                "B": {"BS": [b"\x00\xff"]},
                "Email": {"S": "x@y.z"},
            }
            aws.dynamodb.put_item(TableName="Reviews", Item=item)

    return table


@pytest.fixture
def scan(aws: Any) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Scans the table by one task after another; the items, and ``scan.records``."""
    servers = []

    def scan(
        segments: int,
        *,
        tasks: int = 2,
        item_bytes: float = 0,
        columns: tuple[str, ...] = (),
        exclude: str = "",
        columnar: bool = True,
    ) -> list[dict[str, Any]]:
        limit = RateLimiter(1e6 if not item_bytes else 200, -60.0)
        deal = Scheduler(range(segments), limit, item_bytes)
        server = CoordinatorServer(deal, "127.0.0.1")
        servers.append(server)
        server.open()
        task = ScanSpecification(
            table="Reviews",
            region="eu-west-1",
            segments=segments,
            columns=columns,
            selected=lambda name: name != exclude,
            whole=not exclude,
            columnar=columnar,
            hot_units=float("inf"),
            bucket=BUCKET,
            prefix="temp/",
            address=server.address,
        )
        texts = scan_task(task, range(tasks))
        scan.records = [json.loads(text) for text in texts]  # type: ignore[attr-defined]
        pieces = [piece for record in scan.records for piece in record["pieces"]]  # type: ignore[attr-defined]
        groups = group_pieces(pieces, 3) if pieces else []
        return list(piece_items(groups, BUCKET, "eu-west-1"))

    yield scan
    for server in servers:
        with closing(server):
            pass


@pytest.mark.parametrize("columnar", [True, False])
@pytest.mark.parametrize("segments", [1, 7])
def test_a_scan_reads_every_item_once(
    table: Any, scan: Any, segments: int, *, columnar: bool
) -> None:
    """Page by page; only what is selected leaves the task; binary as base64."""
    table(20)
    result = scan(segments, item_bytes=4_096, exclude="Email", columnar=columnar)
    assert len(result) == 20
    assert len({item["User"]["S"] for item in result}) == 20
    assert all(set(item) == {"User", "B"} for item in result)
    assert result[0]["B"] == {"BS": ["AP8="]}
    assert sorted(record["segment"] for record in scan.records) == list(range(segments))
    assert sum(record["items"] for record in scan.records) == 20


def test_only_the_requested_columns_come_from_dynamodb(table: Any, scan: Any) -> None:
    table(3)
    found = scan(1, columns=("Email", "no.such"))
    assert found == [{"Email": {"S": "x@y.z"}}] * 3


def test_items_without_any_of_the_columns_are_items(table: Any, scan: Any) -> None:
    table(3)
    assert scan(1, columns=("nosuch",)) == [{}, {}, {}]


def test_finished_segments_are_recorded_beside_their_pieces(
    table: Any, scan: Any, keys: Any, aws: Any
) -> None:
    table(5)
    scan(2)
    assert keys("temp/finished/") == ["temp/finished/0.json", "temp/finished/1.json"]
    stored = [
        json.loads(aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        for key in keys("temp/finished/")
    ]
    by_segment = sorted(scan.records, key=lambda record: record["segment"])
    assert stored == by_segment
    assert sorted(piece["key"] for record in stored for piece in record["pieces"]) == keys(
        "temp/pieces/"
    )


def test_a_client_without_the_key_gets_no_answer(aws: Any) -> None:
    server = CoordinatorServer(dispatcher(1_000), "127.0.0.1")
    server.open()
    host, port, key = server.address
    with closing(server):
        with pytest.raises(AuthenticationError):
            CoordinatorClient((host, port, bytes(32)))
        line = CoordinatorClient((host, port, key))
        assert line.ask("take") == 0
        line.close()


RESET = struct.pack("ii", 1, 0)


@pytest.fixture
def server() -> Iterator[CoordinatorServer]:
    """With a single segment to read."""
    server = CoordinatorServer(dispatcher(1_000, segments=1), "127.0.0.1")
    with closing(server):
        server.open()
        yield server


@pytest.fixture
def stranger(server: CoordinatorServer) -> Iterator[Callable[..., socket.socket]]:
    """Connects to the server without its key, and sends the given bytes."""
    with ExitStack() as stack:

        def connect(says: bytes = b"") -> socket.socket:
            connection = socket.create_connection(server.address[:2], timeout=60)
            stack.enter_context(connection)
            connection.sendall(says)
            return connection

        yield connect


def segment_asked_for(server: CoordinatorServer) -> Any:
    """What a task is answered that asks for its first segment, if it is answered in a minute."""
    answers: Queue[Any] = Queue()

    def ask() -> None:
        with closing(CoordinatorClient(server.address)) as line:
            answers.put(line.ask("take"))

    threading.Thread(target=ask, daemon=True).start()
    return answers.get(timeout=60)


def hung_up(connection: socket.socket) -> bool:
    """Whether the other side ends the connection after its challenge."""
    try:
        while connection.recv(1024):
            continue
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize(
    "says", [b"", b"\x00\x00", b"\x00\x00\x00\x20half", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_a_stranger_delays_no_task(server: Any, stranger: Any, says: bytes) -> None:
    for _ in range(3):
        stranger(says)
    assert segment_asked_for(server) == 0


def test_a_stranger_that_resets_delays_no_task(server: Any, stranger: Any) -> None:
    for _ in range(3):
        connection = stranger()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
    assert segment_asked_for(server) == 0


def test_a_silent_stranger_is_disconnected(
    monkeypatch: pytest.MonkeyPatch, server: Any, stranger: Any
) -> None:
    monkeypatch.setattr(coordinator, "HANDSHAKE_SECONDS", 0.1)
    assert hung_up(stranger())
    assert hung_up(stranger(b"\x00\x00"))


def test_the_number_of_strangers_is_limited(
    monkeypatch: pytest.MonkeyPatch, server: Any, stranger: Any
) -> None:
    """The connection that has been silent for longest is closed."""
    monkeypatch.setattr(connections, "STRANGERS_MAX", 2)
    monkeypatch.setattr(connections, "STRANGER_SECONDS", 0.0)
    first, *_ = [stranger() for _ in range(3)]
    assert hung_up(first)
    assert segment_asked_for(server) == 0


def test_the_segment_of_a_task_that_sends_rubbish_is_dealt_again(server: Any) -> None:
    host, port, key = server.address
    with closing(Client((host, port), authkey=key)) as task:
        task.send_bytes(b'{"about": "take"}')
        assert task.recv_bytes() == b"0"
        task.send_bytes(b"rubbish")
        assert waiting.until(lambda: segment_asked_for(server) is not None, seconds=60)


def test_both_ends_notice_a_lost_host(server: Any) -> None:
    """TCP's keepalive detects it: the system has to send one within a minute."""

    def keepalives() -> list[int]:
        """By end of an established connection, when the next one is due, in hundredths of a second.

        https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt
        """
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        port, keepalive, established = f":{server.address[1]:04X}", "02", "01"
        timers = [
            row[5].split(":") for row in rows if port in row[1] + row[2] and row[3] == established
        ]
        return [int(due, 16) for kind, due in timers if kind == keepalive]

    with closing(CoordinatorClient(server.address)) as line:
        line.ask("take")
        due = waiting.until(lambda: lines if len(lines := keepalives()) == 2 else None, seconds=60)
    assert max(due) <= 60 * 100


class Noted:
    """A scheduler that records its new targets."""

    def __init__(self) -> None:
        self.targets: list[float] = []

    def retarget(self, target: float, _: float) -> None:
        self.targets.append(target)


def test_the_capacity_is_read_again_and_a_refusal_changes_nothing() -> None:
    """This goes on until the server is closed."""
    noted, asked = Noted(), threading.Semaphore(0)
    answers: Iterator[Any] = iter([200.0, denied(), 300.0])

    def target() -> float:
        asked.release()
        answer = next(answers, 300.0)
        if isinstance(answer, Exception):
            raise answer
        return float(answer)

    server = CoordinatorServer(noted, "127.0.0.1")
    with closing(server):
        server.watch(target, every=0.01)
        for _ in range(5):
            assert asked.acquire(timeout=30)
    assert noted.targets[:2] == [200, 300]


def denied() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Describe")
