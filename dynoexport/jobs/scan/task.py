"""A task of a Scan: it reads segments until all are dealt."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from dynoexport.jobs.s3_client import s3_client
from dynoexport.jobs.scan.buffer import SegmentBuffer, record_key
from dynoexport.jobs.scan.coordinator import CoordinatorClient
from dynoexport.jobs.scan.decode import Decoder
from dynoexport.jobs.scan.pages import FAILURES_MAX, THROTTLES, TRANSIENT, BadPage, PageReader
from dynoexport.jobs.scan.segments import OPEN_SEGMENTS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from dynoexport.jobs.scan.pages import Page
    from dynoexport.jobs.scan.specification import ScanSpecification

# Seconds that a segment waits after failures in a row, at first and at most.
BACKOFF, BACKOFF_MAX = 0.05, 30.0


class Cursor:
    """How far a segment has been read."""

    def __init__(self, segment: int, pieces: SegmentBuffer) -> None:
        self.segment = segment
        self.pieces = pieces
        self.start: Mapping[str, Any] | None = None
        self.ready_at = self.began = time.monotonic()
        self.failures = 0
        self.record: dict[str, Any] = {
            "segment": segment,
            "items": 0,
            "bytes": 0,
            "units": 0.0,
            "throttles": 0,
        }

    def add(self, page: Page) -> None:
        self.pieces.add(page.body, page.items)
        self.record["items"] += page.items
        self.record["bytes"] += len(page.body)
        self.record["units"] += page.units
        # Not 0: a segment that was throttled a moment ago is soon throttled again.
        self.start, self.failures = page.next, self.failures // 2

    def postpone(self) -> None:
        """Wait longer after each failure in a row, up to half a minute."""
        self.failures += 1
        pause = min(BACKOFF_MAX, BACKOFF * 2**self.failures)
        self.ready_at = time.monotonic() + pause * random.uniform(0.5, 1)  # noqa: S311 - no secret


def scan_task(scan: ScanSpecification, tasks: Iterable[int]) -> Iterator[str]:
    """Read segments until all are dealt; their records as JSON."""
    for _ in tasks:
        coordinator = CoordinatorClient(scan.address)
        try:
            first = coordinator.ask("take")
            records = [] if first is None else segment_reader(scan, coordinator, first).run()
        finally:
            coordinator.close()
        yield from map(json.dumps, records)


def segment_reader(
    scan: ScanSpecification, coordinator: CoordinatorClient, first: int
) -> SegmentReader:
    s3 = s3_client(scan.region)
    return SegmentReader(scan, coordinator, first, PageReader(scan), s3)


class SegmentReader:
    """Reads some segments in turn, page by page, in a few threads that wait for the network."""

    def __init__(
        self,
        scan: ScanSpecification,
        coordinator: CoordinatorClient,
        first: int,
        pages: PageReader,
        s3: S3Client,
    ) -> None:
        self._scan, self._coordinator = scan, coordinator
        self._pages, self._s3 = pages, s3
        self._decoder = Decoder(scan.selected, columnar=scan.columnar, whole=scan.whole)
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._open = deque([self._begin(first)])
        self._at_work = 0
        self._all_dealt = False
        self._records: list[dict[str, Any]] = []
        self._error: BaseException | None = None

    def run(self) -> list[dict[str, Any]]:
        """Read the segments; a record for each.

        Raises:
            ClientError: DynamoDB or S3 refused a call.
        """
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._records

    def _work(self) -> None:
        try:
            while True:
                cursor = self._next()
                if cursor is None:
                    return
                is_done = self._step(cursor)
                with self._lock:
                    self._at_work -= 1
                    if not is_done:
                        self._open.append(cursor)
                    self._lock.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again by the task's own thread
            with self._lock:
                self._error = self._error or error
                self._stop.set()
                self._lock.notify_all()

    def _next(self) -> Cursor | None:
        """The next segment to read: one that need not wait, else a new one; None at the end."""
        with self._lock:
            while self._error is None:
                now = time.monotonic()
                for cursor in self._open:
                    if cursor.ready_at <= now:
                        self._open.remove(cursor)
                        self._at_work += 1
                        return cursor
                if not self._all_dealt and len(self._open) + self._at_work < OPEN_SEGMENTS:
                    segment = self._coordinator.ask("take")
                    self._all_dealt = segment is None
                    if segment is not None:
                        self._at_work += 1
                        return self._begin(segment)
                elif not self._open and not self._at_work:
                    return None
                else:
                    soonest = min((cursor.ready_at for cursor in self._open), default=now + 60)
                    self._lock.wait(max(0.0, soonest - now))
            return None

    def _begin(self, segment: int) -> Cursor:
        return Cursor(segment, SegmentBuffer(self._scan, segment, self._decoder, self._s3))

    def _step(self, cursor: Cursor) -> bool:
        """Read one page of the segment; True if it was the last."""
        lent, hot = 0.0, cursor.record["units"] > self._scan.hot_units
        while not lent:
            wait, items, lent = self._coordinator.ask("turn", stream=threading.get_ident(), hot=hot)
            if self._stop.wait(wait):
                return False
        try:
            page = self._pages.read(cursor.segment, cursor.start, items)
        except ClientError as error:
            self._refused(cursor, lent, error)
            return False
        except (BotoCoreError, HTTPClientError, BadPage):
            self._coordinator.ask("read", lent=lent, units=0.0, items=0)
            cursor.postpone()
            if cursor.failures > FAILURES_MAX:
                raise
            return False
        self._coordinator.ask("read", lent=lent, units=page.units, items=page.items)
        cursor.add(page)
        if page.next:
            return False
        self._finish(cursor)
        return True

    def _refused(self, cursor: Cursor, lent: float, error: ClientError) -> None:
        """Try the segment again later, if that may help."""
        code = error.response["Error"]["Code"]
        if code in THROTTLES:
            reasons = json.dumps(error.response.get("ThrottlingReasons", []))
            key_range = "KeyRange" in reasons if "Exceeded" in reasons else None
            self._coordinator.ask("throttled", lent=lent, key_range=key_range)
            cursor.record["throttles"] += 1
            cursor.postpone()
            return
        self._coordinator.ask("read", lent=lent, units=0.0, items=0)
        cursor.postpone()
        if code not in TRANSIENT or cursor.failures > FAILURES_MAX:
            raise error

    def _finish(self, cursor: Cursor) -> None:
        """Record the segment as read: a retry of the job does not read it again."""
        record = {**cursor.record, "seconds": round(time.monotonic() - cursor.began, 3)}
        record["pieces"] = cursor.pieces.finish()
        record["left_out"] = sorted(self._decoder.left_out)
        self._s3.put_object(
            Bucket=self._scan.bucket,
            Key=record_key(self._scan.prefix, cursor.segment),
            Body=json.dumps(record).encode(),
        )
        self._coordinator.ask("done", segment=cursor.segment)
        with self._lock:
            self._records.append(record)
