"""Each AWS call of each command fails once in each way; then the command is tried again.

    python tests/hostile/command_faults.py [SHARE [COMMAND ...]]

SHARE is the part of the faults that is tried, drawn from a seed.

Runs an endpoint in this process and calls the command as its users do, by its words. A line of
JSON for each trial goes to standard output.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import random
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from click.testing import CliRunner

sys.path.append(str(Path(__file__).parents[1] / "functional"))
import command as functional

from dynoexport.cli import main
from dynoexport.local import cbor, server
from dynoexport.local.context import EndpointEnds
from dynoexport.local.glue import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dynoexport.local.context import Endpoint

# Codes as JSON services, others and S3 write them, and the status.
SERVICE_FAULTS = {
    "throttled": ("ThrottlingException", "Throttling", "SlowDown", 400),
    "denied": ("AccessDeniedException", "AccessDenied", "AccessDenied", 403),
    "server error": ("InternalServerError", "InternalFailure", "InternalError", 500),
    "expired": ("ExpiredTokenException", "ExpiredToken", "ExpiredToken", 400),
}
FAULTS = (*SERVICE_FAULTS, "timeout", "connection closed")
SNAPSHOTS = ("2026-01-01T10:00", "2026-01-02T10:00")


@dataclass(frozen=True)
class Trial:
    """A command, its call that failed, and what it did.

    Attributes:
        status: exit status of the try with the fault.
        lines: what it printed to standard error.
        again: exit status of the second try.
    """

    command: str
    call: str
    fault: str
    status: int
    lines: tuple[str, ...]
    again: int
    said_again: str


class Raw(io.BytesIO):
    """The body of an answer, as urllib3 gives it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


class Injector:
    """Lets one call of the command fail, or only writes down which calls there are."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.target: int | None = None
        self.fault = ""

    def begin(self, target: int | None = None, fault: str = "") -> None:
        self.calls, self.target, self.fault = [], target, fault

    def before_send(self, request: Any, event_name: str, protocol: str) -> AWSResponse | None:
        self.calls.append(".".join(event_name.split(".")[1:]))
        if self.target != len(self.calls) - 1:
            return None
        if self.fault == "timeout":
            raise ReadTimeoutError(endpoint_url=request.url)
        if self.fault == "connection closed":
            raise ConnectionClosedError(endpoint_url=request.url)
        headers, body, status = answer(protocol, *SERVICE_FAULTS[self.fault])
        return AWSResponse(request.url, status, HeadersDict(headers), Raw(body))  # type: ignore[arg-type]


def answer(
    protocol: str, of_json: str, of_query: str, of_s3: str, status: int
) -> tuple[dict[str, str], bytes, int]:
    """Headers, body and status with which a service of that protocol refuses a call."""
    said = "this call was made to fail"
    if protocol == "rest-xml":
        body = f"<Error><Code>{of_s3}</Code><Message>{said}</Message></Error>".encode()
        return {"Content-Type": "application/xml"}, body, 503 if of_s3 == "SlowDown" else status
    if protocol == "smithy-rpc-v2-cbor":
        refusal = cbor.refusal(of_json, said, status)
        return dict(refusal.headers), refusal.get_data(), status
    if protocol == "query":
        error = f"<Error><Code>{of_query}</Code><Message>{said}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>".encode()
        return {"Content-Type": "text/xml"}, body, status
    body = json.dumps({"__type": of_json, "message": said}).encode()
    return {"Content-Type": "application/x-amz-json-1.1"}, body, status


@contextmanager
def hooked(injector: Injector) -> Iterator[None]:
    """Every client of the command, and no other one, asks the injector before it sends.

    Jobs have no processes.
    """
    create = botocore.session.Session.create_client

    @functools.wraps(create)
    def create_client(session: Any, *args: Any, **options: Any) -> Any:
        client = create(session, *args, **options)
        if "dynoexport/" in (getattr(options.get("config"), "user_agent_extra", None) or ""):
            protocol = client.meta.service_model.resolved_protocol
            client.meta.events.register_first(
                "before-send", functools.partial(_ask, injector, protocol)
            )
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "create_client", create_client)
        # A job that starts here fails at once, without a process.
        patch.setattr(processes.reserve, "fill", lambda: None)
        patch.setattr(processes.reserve, "take", refuse)
        yield


def refuse(_: str) -> NoReturn:
    raise EndpointEnds("no job runs here")


def _ask(injector: Injector, protocol: str, request: Any, event_name: str, **_: Any) -> Any:
    return injector.before_send(request, event_name, protocol)


# --- what is there before each trial --------------------------------------------------------------
class Stage:
    """An account with the common stack, and as many exports as are asked for."""

    def __init__(self, endpoint: Endpoint, injector: Injector) -> None:
        self.endpoint, self.injector = endpoint, injector
        self._numbers = itertools.count()
        self.env = {
            **endpoint.env,
            "AWS_MAX_ATTEMPTS": "1",
            "PATH": os.environ["PATH"],
            "COLUMNS": "1000",
        }
        self.ok("init", "--yes")

    def run(self, *words: str) -> tuple[int, tuple[str, ...]]:
        done = CliRunner().invoke(main, list(words), env=self.env)
        return done.exit_code, tuple(done.stderr.splitlines())

    def ok(self, *words: str) -> None:
        status, lines = self.run(*words)
        assert status == 0, (words, lines)

    def table(self) -> str:
        """A new table."""
        name = f"Faults{next(self._numbers)}"
        functional.create_table(self.endpoint, name)
        return name

    def exported(self) -> str:
        """A new export without a run."""
        name = self.table()
        self.ok("deploy", name, "--format", "json", "--yes")
        return name

    def with_snapshots(self) -> str:
        """A new export with two snapshots. The view shows the newer one."""
        name = self.exported()
        schema = [{"name": "id", "type": "string", "attribute": "id", "view": "id", "shown": True}]
        for snapshot in SNAPSHOTS:
            functional.put_snapshot(self.endpoint, name, snapshot, [{"id": "1"}], schema=schema)
        functional.crawl(self.endpoint, name)
        self.ok("publish", name, SNAPSHOTS[-1])
        return name

    def with_old_snapshot(self) -> str:
        """A new export beside a snapshot of another design that the crawler has found."""
        name = self.exported()
        s3, bucket = self.endpoint.client("s3"), functional.exports_bucket(self.endpoint)
        key = f"json/{name}/snapshot_timestamp={SNAPSHOTS[0]}/run-1-part-r-00000"
        s3.put_object(Bucket=bucket, Key=key, Body=b'{"id": "1"}\n')
        functional.crawl(self.endpoint, name)
        return name

    def with_run(self) -> str:
        """A new export with a run, which has failed: there are no processes for jobs here."""
        name = self.exported()
        self.run("run", name, "--wait")
        return name


# --- what is tried --------------------------------------------------------------------------------
# The words of each command after what has to be there; {} is the table.
SCENARIOS: dict[str, tuple[str, str]] = {
    "init": ("table", "init --yes"),
    "deploy": ("table", "deploy {} --yes"),
    "deploy --auto": ("table", "deploy {} --auto --read-mode native --yes"),
    "deploy again": ("exported", "deploy {} --set MaxRetries=2 --yes"),
    "enable": ("exported", "enable {}"),
    "disable": ("exported", "disable {}"),
    "run": ("exported", "run {}"),
    "runs": ("with_run", "runs {}"),
    "logs": ("with_run", "logs {}"),
    "status": ("with_snapshots", "status {}"),
    "snapshots": ("with_snapshots", "snapshots {}"),
    "publish": ("with_snapshots", f"publish {{}} {SNAPSHOTS[0]}"),
    "adopt": ("with_old_snapshot", "adopt {} --yes"),
    "prune": ("with_snapshots", "prune {} --keep 1 --yes"),
    "verify": ("with_snapshots", "verify {}"),
    "query": ("with_snapshots", "query {}"),
    "plan": ("table", "plan {}"),
    "doctor": ("exported", "doctor"),
    "destroy": ("with_snapshots", "destroy {} --yes"),
    "destroy --data": ("with_snapshots", "destroy {} --data --yes"),
}


def trials(stage: Stage, share: float, names: Sequence[str]) -> Iterator[Trial]:
    """Each command once without a fault, and then with each fault at each of its calls."""
    chance = random.Random(0)
    for name in names:
        before, words = SCENARIOS[name]
        make: Callable[[], str] = getattr(stage, before)
        given = words.format(make()).split()
        stage.injector.begin()
        status, lines = stage.run(*given)
        if name != "run":
            assert status == 0, (name, lines)
        calls = list(stage.injector.calls)
        # A call that is repeated, as a poll, fails in its first and in its last place.
        places = sorted({calls.index(call) for call in calls} | {len(calls) - 1})
        for place, fault in itertools.product(places, FAULTS):
            if chance.random() < share:
                yield tried(stage, name, words.format(make()).split(), place, fault)


def tried(stage: Stage, name: str, words: Sequence[str], place: int, fault: str) -> Trial:
    stage.injector.begin(place, fault)
    status, lines = stage.run(*words)
    call = stage.injector.calls[place] if place < len(stage.injector.calls) else "not reached"
    stage.injector.begin()
    again, said = stage.run(*words)
    return Trial(name, call, fault, status, lines, again, " | ".join(said))


def try_all(share: float, names: Sequence[str]) -> None:
    injector = Injector()
    with server.serve(port=0) as endpoint, hooked(injector):
        for trial in trials(Stage(endpoint, injector), share, names):
            sys.stdout.write(json.dumps(asdict(trial)) + "\n")


if __name__ == "__main__":
    part, *chosen = sys.argv[1:] or ["1"]
    try_all(float(part), chosen or list(SCENARIOS))
