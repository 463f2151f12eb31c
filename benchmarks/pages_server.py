"""Serve recorded pages by DynamoDB's Scan protocol at memory speed, to measure the client.

    python benchmarks/pages_server.py --data flights --items 500000

prints its address when it is ready, and serves until it is terminated. Pages end where DynamoDB
ends them, at 1 MB of names and values, and are kept as whole responses. The server parses only
which page a request asks for. It answers DescribeTable and ListTables too, and ignores signatures.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import socket
import threading
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TABLE = "Recorded"
PAGE_BYTES = 1024 * 1024
KEY = "id"

Item = dict[str, dict[str, Any]]


# --- the items ------------------------------------------------------------------------------------
CARRIERS = ("UA", "AA", "B6", "DL", "EV", "MQ", "US", "WN", "VX", "FL", "AS", "9E")
AIRPORTS = ("EWR", "JFK", "LGA", "IAH", "MIA", "BQN", "ATL", "ORD", "FLL", "IAD", "MCO", "LAX")
CANCELLED = 40


def flight(number: int, chance: random.Random) -> Item:
    """A row like those of nycflights13. One flight in forty is cancelled and lacks its times."""
    day = number % 365
    hour = number % 19 + 5
    item: Item = {
        KEY: {"S": f"flight-{number}"},
        "year": {"N": "2013"},
        "month": {"N": str(day // 31 + 1)},
        "day": {"N": str(day % 28 + 1)},
        "sched_dep_time": {"N": str(hour * 100 + number % 60)},
        "sched_arr_time": {"N": str((hour + 2) % 24 * 100 + number % 60)},
        "carrier": {"S": CARRIERS[chance.randrange(12)]},
        "flight": {"N": str(chance.randrange(1, 8_500))},
        "tailnum": {"S": f"N{chance.randrange(10_000, 99_999)}"},
        "origin": {"S": AIRPORTS[chance.randrange(3)]},
        "dest": {"S": AIRPORTS[chance.randrange(12)]},
        "distance": {"N": str(chance.randrange(100, 5_000))},
        "hour": {"N": str(hour)},
        "minute": {"N": str(number % 60)},
        "time_hour": {"S": f"2013-{day // 31 + 1:02}-{day % 28 + 1:02}T{hour:02}:00:00Z"},
    }
    if number % CANCELLED:
        late = chance.randrange(-20, 200)
        item["dep_time"] = {"N": str(hour * 100 + number % 60)}
        item["dep_delay"] = {"N": str(late)}
        item["arr_time"] = {"N": str((hour + 2) % 24 * 100 + number % 60)}
        item["arr_delay"] = {"N": str(late - 5)}
        item["air_time"] = {"N": str(chance.randrange(20, 600))}
    return item


def document(number: int, chance: random.Random) -> Item:
    """An order of about 1 KB: texts, exact numbers, a map, a list of maps, a list of texts."""
    text = f"{chance.getrandbits(1600):0400x}"
    return {
        KEY: {"S": f"order-{number}"},
        "placed": {"S": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T10:00:00Z"},
        "total": {"N": f"{chance.randrange(1, 9_999)}.{chance.randrange(1, 10)}"},
        "count": {"N": str(chance.randrange(1, 10))},
        "paid": {"BOOL": number % 3 == 0},
        "note": {"S": text},
        "customer": {
            "M": {
                "name": {"S": text[:24]},
                "city": {"S": text[24:40]},
                "since": {"N": str(chance.randrange(1990, 2026))},
            }
        },
        "lines": {
            "L": [
                {
                    "M": {
                        "sku": {"S": text[place * 16 : place * 16 + 16]},
                        "quantity": {"N": str(chance.randrange(1, 20))},
                        "price": {"N": f"{chance.randrange(1, 500)}.{chance.randrange(1, 10)}"},
                    }
                }
                for place in range(5)
            ]
        },
        "tags": {"L": [{"S": "gift"}, {"S": text[:8]}]},
    }


DATA: dict[str, Callable[[int, random.Random], Item]] = {"flights": flight, "documents": document}


def items_of(data: str, items: int) -> Iterator[Item]:
    """All items, the same ones every time."""
    chance = random.Random(data)  # noqa: S311 - no secret
    return (DATA[data](number, chance) for number in range(items))


def plain(value: dict[str, Any]) -> Any:
    """A value without its types, numbers exact: what every contestant should return."""
    ((code, content),) = value.items()
    if code == "N":
        return Decimal(content)
    if code == "M":
        return {name: plain(inner) for name, inner in content.items()}
    return [plain(element) for element in content] if code == "L" else content


def size_of(item: Item) -> int:
    """About the size that DynamoDB measures: the bytes of names and values as text."""
    return sum(len(name) + len(str(value)) - 7 for name, value in item.items())


# --- the answers ----------------------------------------------------------------------------------
def answer(body: bytes) -> bytes:
    """The whole HTTP response."""
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"x-amzn-RequestId: RECORDED\r\nx-amz-crc32: {zlib.crc32(body)}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Recorded:
    """The pages, and the page that follows each key."""

    def __init__(self, data: str, items: int) -> None:
        self.items = items
        self.pages: list[bytes] = []
        self.follows: dict[str, int] = {}
        self.bytes = 0
        page: list[str] = []
        held = 0
        last = ""
        for item in items_of(data, items):
            size = size_of(item)
            if held + size > PAGE_BYTES:
                self._end(page, last)
                page, held = [], 0
            page.append(json.dumps(item, separators=(",", ":")))
            held += size
            self.bytes += size
            last = item[KEY]["S"]
        self._end(page, last)

    def _end(self, page: list[str], last: str) -> None:
        count = len(page)
        capacity = f'"ConsumedCapacity":{{"CapacityUnits":128.0,"TableName":"{TABLE}"}}'
        items = f'"Count":{count},"Items":[{",".join(page)}]'
        scanned = f'"ScannedCount":{count}'
        key = f'"LastEvaluatedKey":{{"{KEY}":{{"S":"{last}"}}}}'
        self.pages.append(answer(f"{{{capacity},{items},{key},{scanned}}}".encode()))
        self.follows[last] = len(self.pages)

    def page(self, asked: dict[str, Any]) -> bytes:
        """The page that a Scan requests."""
        segments, segment = asked.get("TotalSegments", 1), asked.get("Segment", 0)
        begin = segment * len(self.pages) // segments
        end = (segment + 1) * len(self.pages) // segments
        start = asked.get("ExclusiveStartKey")
        place = begin if start is None else self.follows[start[KEY]["S"]]
        if place >= end:
            return EMPTY
        return self.pages[place]

    def description(self) -> bytes:
        table = {
            "TableName": TABLE,
            "TableStatus": "ACTIVE",
            "TableArn": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{TABLE}",
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
            "ItemCount": self.items,
            "TableSizeBytes": self.bytes,
            "ProvisionedThroughput": {
                "ReadCapacityUnits": 1_000_000,
                "WriteCapacityUnits": 1,
                "NumberOfDecreasesToday": 0,
            },
        }
        return answer(json.dumps({"Table": table}).encode())


EMPTY = answer(b'{"Count":0,"Items":[],"ScannedCount":0}')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
TARGET = re.compile(rb"x-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)


def serve(connection: socket.socket, recorded: Recorded) -> None:
    """Answer the requests of one connection, one after another."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in buffer:
                more = connection.recv(65_536)
                if not more:
                    return
                buffer += more
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            length = int(LENGTH.search(head)[1])  # type: ignore[index]
            while len(buffer) < length:
                buffer += connection.recv(65_536)
            body, buffer = buffer[:length], buffer[length:]
            connection.sendall(answered(TARGET.search(head)[1], body, recorded))  # type: ignore[index]


def answered(target: bytes, body: bytes, recorded: Recorded) -> bytes:
    if target == b"Scan":
        return recorded.page(json.loads(body))
    if target == b"DescribeTable":
        return recorded.description()
    return answer(json.dumps({"TableNames": [TABLE]}).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=DATA, default="flights")
    parser.add_argument("--items", type=int, default=500_000)
    given = parser.parse_args()
    recorded = Recorded(given.data, given.items)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    sent = sum(map(len, recorded.pages))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", sent, len(recorded.pages), flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, recorded), daemon=True).start()


if __name__ == "__main__":
    main()
