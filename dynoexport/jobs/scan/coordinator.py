"""The connection of the tasks to the scheduler in the driver."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import closing
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynoexport.jobs.log import log
from dynoexport.jobs.scan.connections import (
    HANDSHAKE_SECONDS,
    PendingConnections,
    enable_keepalive,
    set_timeouts,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from dynoexport.jobs.scan.scheduler import Scheduler

# With what the limiter makes up for, a run stays near a lower limit in any ten seconds. The call
# costs nothing; an account may make 2,500 such calls a second:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-control-plane.html
CAPACITY_SECONDS = 5


class CoordinatorServer:
    """Answers the tasks' questions to the scheduler, over TCP, in threads of the driver.

    Spark itself needs every port between driver and executors
    (https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html). A client proves by
    HMAC that it knows the run's key. Messages are JSON and hold no data of the table.
    """

    def __init__(self, scheduler: Scheduler, host: str) -> None:
        self._scheduler = scheduler
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._key = os.urandom(32)
        self._strangers = PendingConnections()
        # Without the key: accept() would wait for one stranger's proof while all others wait.
        self._listener = Listener((host, 0), backlog=1024)

    @property
    def address(self) -> tuple[str, int, bytes]:
        host, port = self._listener.address
        return host, port, self._key

    def open(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()

    def watch(self, target: Callable[[], float], every: float = CAPACITY_SECONDS) -> None:
        """Update the read limit every ``every`` seconds: autoscaling may have changed it."""

        def watching() -> None:
            while not self._closed.wait(every):
                try:
                    rate = target()
                except ClientError as error:
                    log(f"cannot read the table's capacity, so the read limit stays: {error}")
                    continue
                with self._lock:
                    self._scheduler.retarget(rate, time.monotonic())

        threading.Thread(target=watching, daemon=True).start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connection = self._listener.accept()
            except OSError:
                # Closed, or the other side has gone already.
                continue
            self._strangers.add(connection)
            threading.Thread(target=self._meet, args=(connection,), daemon=True).start()

    def _meet(self, connection: Connection) -> None:
        """Serve the connection if it proves that it knows the key."""
        with closing(connection):
            try:
                set_timeouts(connection, HANDSHAKE_SECONDS)
                deliver_challenge(connection, self._key)
                answer_challenge(connection, self._key)
                set_timeouts(connection, 0)
                enable_keepalive(connection)
            except Exception:  # noqa: BLE001 - a stranger may send anything
                return
            finally:
                self._strangers.remove(connection)
            self._serve(connection)

    def _serve(self, connection: Connection) -> None:
        task = os.urandom(8).hex()
        try:
            while True:
                question = json.loads(connection.recv_bytes().decode())
                connection.send_bytes(json.dumps(self._answer(task, **question)).encode())
        except (OSError, EOFError, ValueError):
            # Gone, or damaged.
            return
        finally:
            with self._lock:
                self._scheduler.lost(task)

    def _answer(self, task: str, about: str, **details: Any) -> Any:  # noqa: ANN401 - JSON
        now = time.monotonic()
        with self._lock:
            if about == "take":
                return self._scheduler.take(task)
            if about == "done":
                return self._scheduler.done(**details)
            if about == "turn":
                turn = self._scheduler.turn(f"{task}/{details['stream']}", now, hot=details["hot"])
                return [turn.wait, turn.items, turn.lent]
            if about == "read":
                return self._scheduler.read(**details, now=now)
            return self._scheduler.throttled(**details, now=now)


class CoordinatorClient:
    """A task's connection to the coordinator; its threads share it."""

    def __init__(self, address: tuple[str, int, bytes]) -> None:
        host, port, key = address
        self._connection = Client((host, port), authkey=key)
        enable_keepalive(self._connection)
        self._lock = threading.Lock()

    def ask(self, about: str, **details: float | bool | None) -> Any:  # noqa: ANN401 - JSON
        with self._lock:
            self._connection.send_bytes(json.dumps({"about": about, **details}).encode())
            return json.loads(self._connection.recv_bytes().decode())

    def close(self) -> None:
        self._connection.close()
