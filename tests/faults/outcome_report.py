"""Writes docs/reliability.md from the figures, and the figures from what tests have left.

    python tests/faults/outcome_report.py [DIRECTORY]

DIRECTORY holds the outcomes of tests that `make test-deep` ran with DYNOEXPORT_OUTCOMES.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import schedules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "acceptance"))
from acceptance_facts import FACTS  # noqa: E402

REPORTS = HERE.parents[1] / "docs" / "acceptance"
# What other people's programs judge, in `make test-engines`.
JUDGES = (
    (
        "rows of every format but xml, cell by cell; views; catalog tables",
        "Trino 476, the engine of Athena",
    ),
    (
        "readers and writers, with the libraries of Glue 3.0 to 6.0",
        "their Python, pyarrow, boto3 and Spark",
    ),
    ("both jobs as Python shell jobs", "Python 3.9 with pyarrow 7.0.0 and boto3 1.21.21"),
    ("files in S3, what the export job's role may do", "Hadoop's S3A with both of its committers"),
    ("what the view job's role may do", "Trino 476, which creates and replaces a view with it"),
    ("the SQL of the endpoint's Athena", "Trino 476, by its answers to more than 400 statements"),
    ("the `connector` reader", "emr-dynamodb-connector, the code base of Glue's own"),
    ("the `native` reader, and what the endpoint's DynamoDB answers", "dynalite, another DynamoDB"),
    ("the endpoint's protocols", "the AWS SDKs of JavaScript, Java and Go"),
)
FIGURES = HERE / "figures.json"
PAGE = HERE.parents[1] / "docs" / "reliability.md"

Json = dict[str, Any]
# The name of its kills among those of the commands.
ACCEPTANCE = "acceptance run"


# --- from outcomes to figures ---------------------------------------------------------------------
def figures_of(lines: Iterable[str], date: str) -> Json:
    """The sums of all outcomes."""
    outcomes = [json.loads(line) for line in lines]
    trials = [outcome for outcome in outcomes if "seed" in outcome]
    injected: Counter[str] = Counter()
    inputs: Counter[str] = Counter()
    kills: Counter[str] = Counter()
    for outcome in trials:
        injected.update(outcome["injected"])
    for outcome in outcomes:
        inputs.update(outcome.get("inputs", {}))
        kills.update(outcome.get("kills", {}))
    failed = [trial for trial in trials if trial["run"] != "SUCCEEDED"]
    return {
        "date": date,
        "schedules": len(trials),
        "calls": sum(trial["calls"] for trial in trials),
        "seconds": round(sum(trial["seconds"] for trial in trials) / max(1, len(trials)), 1),
        "injected": {kind: injected[kind] for kind in schedules.KINDS},
        "hit": {
            kind: sum(kind in trial["injected"] for trial in trials) for kind in schedules.KINDS
        },
        "failed": len(failed),
        "notified": sum(trial["notified"] for trial in failed),
        "alarmed": sum(trial["alarmed"] for trial in failed),
        "mended": sum(trial["again"] == "SUCCEEDED" for trial in trials),
        "broken": sum(bool(trial["broken"]) for trial in trials),
        "throttled": next((outcome for outcome in outcomes if "throttles" in outcome), None),
        "inputs": dict(sorted(inputs.items())),
        "kills": dict(sorted(kills.items())),
    }


# --- from figures to the page ---------------------------------------------------------------------
def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def promises(figures: Json) -> Iterable[Sequence[str]]:
    count, failed, kept = (
        figures["schedules"],
        figures["failed"],
        figures["schedules"] - figures["broken"],
    )
    yield (
        "The view shows one complete snapshot, the old one or the new one",
        "each schedule ends with a comparison of the view's rows with the items, one by one",
        f"{kept:,} of {count:,}",
    )
    yield (
        "An incomplete or damaged snapshot never passes as complete",
        "every manifest is compared with keys, sizes and ETags of the files; damage is refused",
        f"{kept:,} of {count:,}",
    )
    yield (
        "The next run succeeds without any cleanup",
        "each schedule ends with a run without faults; its rows are the items of the table",
        f"{figures['mended']:,} of {count:,}",
    )
    yield (
        "A failed run gives the reason in one line",
        "the run's error is compared with the faults that it had",
        f"{failed:,} of {failed:,} failed runs" if not figures["broken"] else "not always",
    )
    silent = (
        f"{figures['notified'] + figures['alarmed']:,} of {failed:,}; "
        f"in {figures['alarmed']:,} of them, "
        "Glue could not start a node and sent no event, and the alarm of a stale snapshot went off"
    )
    yield "A failed run sends a notification", "the messages of the SNS topic are read", silent
    yield throttled(figures["throttled"])
    inputs = figures["inputs"]
    yield (
        "Input from outside is read, or refused in one line",
        f"{len(inputs)} parsers get generated input",
        f"{sum(inputs.values()):,} inputs, no other exception",
    )
    yield from killed(figures["kills"])


def throttled(found: Json | None) -> Sequence[str]:
    what = "Under throttling, every item is exported once"
    how = "the native reader reads a table while DynamoDB refuses three calls in ten"
    if found is None:
        return what, how, "not measured"
    return what, how, f"{found['items']:,} items, {found['throttles']:,} throttles, each item once"


def killed(kills: Mapping[str, int]) -> Iterable[Sequence[str]]:
    """The promises about processes that end by SIGKILL."""
    commands = {name: count for name, count in kills.items() if name != ACCEPTANCE}
    names = ", ".join(f"{name} {count:,}" for name, count in commands.items())
    yield (
        "You can repeat a command that was killed, and the view job",
        "SIGKILL before and after each call to AWS; the same command then ends as if undisturbed",
        f"{sum(commands.values()):,} kills: {names}",
    )
    yield (
        "`make acceptance-clean` removes all that a killed acceptance run has left",
        "SIGKILL at random moments; then the account is compared with what it was",
        f"{kills[ACCEPTANCE]:,} kills, nothing left",
    )


def page(figures: Json) -> str:
    faults = [
        (kind, f"{figures['hit'][kind]:,}", f"{figures['injected'][kind]:,}")
        for kind in schedules.KINDS
    ]
    inputs = [(parser, f"{count:,}") for parser, count in figures["inputs"].items()]
    totals = ("schedules", "calls", "failed")
    schedule_count, calls, failed = (f"{figures[name]:,}" for name in totals)
    return f"""# Reliability

Generated by `make test-deep`, on {figures["date"]}. Do not edit.

This page lists what an export promises, how tests check each promise, and the last results. The
tests deploy the templates and run the real job scripts on the local endpoint, not on AWS. Then
they break the runs: calls fail as they do on AWS and in networks, processes are killed, files and
tables are changed or deleted.

{table(("promise", "how it is tested", "last measured"), promises(figures))}
## Faults

A schedule is a list of faults for one run. A random seed chooses the faults. The tests ran
{schedule_count} schedules with {calls} AWS calls, and {failed} of the
runs failed. `make test` runs the first {schedules.USUAL} schedules. A schedule that breaks a
promise prints its seed. To run the one with seed 7 again:
`DYNOEXPORT_SEED=7 .venv/bin/pytest tests/faults`.

The column `schedules` has the number of schedules with this fault, and `times` how often it
happened.

{table(("fault", "schedules", "times"), faults)}
## Not promised

- If Glue cannot start a job or the crawler, it sends no event, so you get no notification at
  once. The alarm of a stale snapshot ([MaxSnapshotAgeHours](security.md#alarms)) goes off when
  the next snapshot is overdue. Schedules with gaps of a week or more have no such alarm.
- Each workflow refuses a second run while one is active. If you allow it in the Glue console,
  each run gets its own snapshot. But the crawler refuses to run twice at once, so one of the two
  runs fails.

## What judged it

The local endpoint and the job scripts follow the same pages of AWS, so one can hide a mistake of
the other. Therefore programs of other people judge dynoexport, too
(`make test-engines`):

{table(("what", "judge"), JUDGES)}
## What only AWS can show

{on_aws()} It exports in every
format, with every reader and on every Glue version that AWS runs, and looks at what AWS does not
document:

{open_facts()}
## Inputs

Tests generate this many inputs for each parser, valid and invalid ones:

{table(("parser", "inputs"), inputs)}"""


def on_aws() -> str:
    """Whether somebody has run the acceptance run on AWS."""
    reports = sorted(path.stem for path in REPORTS.glob("*.md"))
    if not reports:
        return "Nobody has run `make acceptance` on AWS yet."
    return f"`make acceptance` last ran on AWS on [{reports[-1]}](acceptance/{reports[-1]}.md)."


def open_facts() -> str:
    return "".join(
        f"- {fact.statement} If not, {fact.otherwise} ([source]({fact.source})).\n"
        for fact in FACTS
    )


def main(arguments: Sequence[str]) -> None:
    for directory in arguments:
        files = sorted(Path(directory).glob("*.jsonl"))
        lines = [line for file in files for line in file.read_text().splitlines()]
        today = datetime.now(timezone.utc).date().isoformat()
        FIGURES.write_text(json.dumps(figures_of(lines, today), indent=2) + "\n")
    PAGE.write_text(page(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main(sys.argv[1:])
