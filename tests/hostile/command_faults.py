"""Each AWS call of each command fails once in each way; then the command is tried again.

    python tests/hostile/command_faults.py [SHARE [WAY ...]]

SHARE is the part of the faults that is tried, drawn from a seed; 0 only lists the calls. A WAY is
a key of command_ways.WAYS, such as "deploy again".

Runs an endpoint in this process and calls the command as its users do, by its words. A line of
JSON for each way's calls and for each trial goes to standard output.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aws_faults import FAULTS, LATE_FAULTS, Injector, Jobs, hooked
from command_ways import FAIL_ANYWAY, WAYS, Stage, Way, command_of, plain
from waiting_lines import without_waiting

from dynoexport.local import server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Trial:
    """A command, its call that failed, and what it did.

    Attributes:
        way: the words after which it was called, a key of WAYS.
        status: exit status of the try with the fault.
        lines: what it printed to standard error.
        result: the first line of its result, or its error.
        left: change sets and empty stacks that it left.
        again: exit status of the second try.
        said_again: the first line of its result, or its error.
    """

    way: str
    call: str
    fault: str
    status: int
    lines: tuple[str, ...]
    result: str
    left: tuple[str, ...]
    again: int
    said_again: str


class Trials:
    """All trials of some ways, on one endpoint."""

    def __init__(self, stage: Stage, share: float) -> None:
        self._stage, self._share, self._chance = stage, share, random.Random(0)
        self._known: dict[str, set[str]] = {}
        self._count = itertools.count(1)
        self._table = ""

    def of(self, name: str) -> Iterator[dict[str, Any]]:
        """The calls of a way without a fault, then each call with each fault."""
        way = WAYS[name]
        words = self._begin(way, anew=True)
        self._stage.injector.begin()
        done = self._stage.run(*words)
        assert (done.exit_code == 0) != (name in FAIL_ANYWAY), (name, done.output)
        counted = dict(self._stage.injector.calls)
        known = self._known.setdefault(command_of(name), set())
        new = sorted(set(counted) - known)
        known.update(new)
        yield {"way": name, "calls": new, "result": result(done), "again": done.exit_code}
        for call, fault in itertools.product(new, FAULTS):
            # A call that is repeated, as a poll, fails in its first and in its last place.
            for number in sorted({1, counted[call] if fault in LATE_FAULTS else 1}):
                if self._chance.random() < self._share:
                    # There may be fewer polls than before.
                    trial = self._try(name, call, number, fault) or self._try(name, call, 2, fault)
                    if trial is not None:
                        yield asdict(trial)

    def _begin(self, way: Way, *, anew: bool = False) -> list[str]:
        """Set the stage; the words of the command."""
        if way.back is None or anew:
            self._table = way.before(self._stage)
        if way.back is not None:
            way.back(self._stage, self._table)
        return way.words.format(self._table, n=next(self._count)).split()

    def _try(self, name: str, call: str, number: int, fault: str) -> Trial | None:
        way, injector = WAYS[name], self._stage.injector
        words = self._begin(way)
        injector.begin(call, number, fault)
        first = self._stage.run(*words)
        reached = injector.hit
        changes_stacks = command_of(name) in {"init", "deploy"}
        left = tuple(self._stage.unfinished()) if changes_stacks else ()
        injector.begin()
        if not reached:
            return None
        if way.between is not None:
            way.between(self._stage, self._table)
        second = self._stage.run(*words)
        return Trial(
            name,
            call,
            fault,
            first.exit_code,
            tuple(map(plain, without_waiting(first.stderr).splitlines())),
            result(first, call.rpartition(".")[2]),
            left,
            second.exit_code,
            result(second),
        )


def result(done: Any, operation: str = "") -> str:
    """The first line of what a command printed, better one with the operation; or its error."""
    if done.exit_code:
        lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    else:
        lines = [*done.stdout.splitlines(), *without_waiting(done.stderr).splitlines()]
        lines = [line for line in lines if operation in line] or lines
    return plain(lines[0]) if lines else ""


def try_all(share: float, chosen: Sequence[str]) -> None:
    injector, stand_in = Injector(), Jobs()
    with server.serve(port=0) as endpoint, hooked(injector, stand_in):
        trials = Trials(Stage(endpoint, injector, stand_in), share)
        for name in chosen:
            for record in trials.of(name):
                sys.stdout.write(json.dumps(record) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    part, *ways = sys.argv[1:] or ["1"]
    try_all(float(part), ways or list(WAYS))
