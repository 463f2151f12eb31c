"""``logs``: what the jobs and the crawler of a run have written to CloudWatch."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dynoexport.aws import workflow_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.workflow_runs import Attempt, Node, Run

# Lines reach CloudWatch some seconds late; all crawls share a stream, which is cut by time.
_SLACK = timedelta(seconds=30)
OUTPUT, ERRORS = "output", "error"


@dataclass(frozen=True)
class LogLine:
    """One line of a log, as it was written by an attempt of a node. The first ``attempt`` is 1."""

    time: datetime
    node: str
    kind: str
    attempt: int
    message: str


@dataclass(frozen=True)
class _Source:
    """Where an attempt's lines are, and which of them are its own."""

    node: Node
    number: int
    attempt: Attempt
    group: str


def logs(
    account: Account,
    run: Run,
    *,
    node: str | None = None,
    attempt: int | None = None,
    errors: bool = False,
) -> Iterator[LogLine]:
    """The run's lines so far, node by node in the order of the workflow, oldest first.

    ``node`` is a job's or crawler's name, ``attempt`` is 1 for the first; None is all attempts.
    ``errors`` reads stderr instead, where Spark logs, too.
    """
    for source in _sources(run, node, attempt, errors=errors):
        yield from (line for _, line in _read(account, source))


def follow_logs(
    account: Account, run: Run, *, node: str | None = None, errors: bool = False
) -> Iterator[LogLine]:
    """The run's lines as they are written, until the run has ended."""
    seen: set[str] = set()
    newest: dict[tuple[str, int], datetime] = {}
    while True:
        for source in _sources(run, node, None, errors=errors):
            place = (source.node.name, source.number)
            for event_id, line in _read(account, source, since=newest.get(place)):
                if event_id not in seen:
                    seen.add(event_id)
                    newest[place] = line.time
                    yield line
        if run.finished:
            return
        time.sleep(account.pause)
        run = workflow_runs.get(account.glue, run.workflow, run.run_id)


def tail_logs(account: Account, run: Run, node: Node, *, lines: int = 20) -> list[LogLine]:
    """The last lines of the node's last attempt; from its stderr if stdout is empty."""
    for errors in (False, True):
        printed = list(
            logs(account, run, node=node.name, attempt=len(node.attempts), errors=errors)
        )
        if printed:
            return printed[-lines:]
    return []


def _sources(run: Run, node: str | None, attempt: int | None, *, errors: bool) -> Iterator[_Source]:
    for run_node in run.nodes:
        if node not in {None, run_node.name}:
            continue
        for number, tried in enumerate(run_node.attempts, start=1):
            if attempt in {None, number} and tried.log_group:
                # Jobs have two groups, a crawler has one.
                channel = f"/{ERRORS if errors else OUTPUT}" if run_node.kind == "JOB" else ""
                yield _Source(run_node, number, tried, tried.log_group.rstrip("/") + channel)


def _read(
    account: Account, source: _Source, since: datetime | None = None
) -> Iterator[tuple[str, LogLine]]:
    """The attempt's lines with the IDs of their events, those from ``since`` on."""
    attempt = source.attempt
    end = (attempt.completed or datetime.now(timezone.utc)) + _SLACK
    pages = account.logs.get_paginator("filter_log_events").paginate(
        logGroupName=source.group,
        logStreamNames=[attempt.log_stream],
        startTime=_milliseconds(since or attempt.started - _SLACK),
        endTime=_milliseconds(end),
    )
    try:
        lines = [
            (event["eventId"], _line(source, event["timestamp"], event["message"]))
            for page in pages
            for event in page["events"]
        ]
    except account.logs.exceptions.ResourceNotFoundException:
        # Neither group nor stream exist before the first line.
        return
    yield from _keep_one_crawl(lines) if source.node.kind == "CRAWLER" else lines


def _line(source: _Source, timestamp: int, message: str) -> LogLine:
    return LogLine(
        time=datetime.fromtimestamp(timestamp / 1000, timezone.utc),
        node=source.node.name,
        kind=source.node.kind,
        attempt=source.number,
        message=message.rstrip("\n"),
    )


def _keep_one_crawl(lines: Sequence[tuple[str, LogLine]]) -> Iterator[tuple[str, LogLine]]:
    """The lines of the crawl that most of the lines belong to.

    All crawls of a crawler share one stream, and each line begins with its crawl's ID:
    https://docs.aws.amazon.com/glue/latest/dg/console-crawlers-details.html
    """
    owners = Counter(line.message.partition("]")[0] for _, line in lines)
    for event_id, line in lines:
        if line.message.partition("]")[0] == owners.most_common(1)[0][0]:
            yield event_id, line


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
