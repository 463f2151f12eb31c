"""``dynoexport plan --describe``: tables that somebody has described, without AWS."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dynoexport import units
from dynoexport.cli import main
from dynoexport.planning import prices

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EVENTS, ORDERS = EXAMPLES / "events.json", EXAMPLES / "orders.json"
BARE = '{"TableName": "Bare"}'


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither region nor credentials, and nobody to ask."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def plan(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["plan", *words], input=stdin, catch_exceptions=False)


def planned(*words: str, stdin: str | None = None) -> list[dict[str, Any]]:
    done = plan(*words, "--output", "json", stdin=stdin)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def refused(*words: str, stdin: str | None = None, code: int = 1) -> str:
    """The first line of the error. The command does nothing else."""
    done = plan(*words, stdin=stdin)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    return done.stderr.splitlines()[0]


# --- what is described ----------------------------------------------------------------------------
def test_answers_may_follow_each_other_on_stdin() -> None:
    shown = planned("--describe", "-", stdin=f"{EVENTS.read_text()}\n{ORDERS.read_text()} {BARE}")
    assert [table_plan["table"] for table_plan in shown] == ["Events", "Orders", "Bare"]


def test_answers_may_stand_in_a_list() -> None:
    shown = planned("--describe", "-", stdin=f"[{EVENTS.read_text()}, {BARE}]")
    assert [table_plan["table"] for table_plan in shown] == ["Events", "Bare"]


def test_some_of_the_described_tables_can_be_selected() -> None:
    both = f"{EVENTS.read_text()}{ORDERS.read_text()}"
    assert [
        table_plan["table"] for table_plan in planned("Orders", "--describe", "-", stdin=both)
    ] == ["Orders"]
    line = refused("Users", "--describe", "-", stdin=both)
    assert line == "Error: Users is not described"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the description is empty"),
        ("[]", "the description is empty"),
        ("{", "the description is not JSON: Expecting property name"),
        (BARE + "x", "the description is not JSON: Expecting value"),
        ("[" * 100_000, "the description is not JSON: "),
        ("\x00\ufffd", "the description is not JSON: Expecting value"),
        ("3", "this is not the output of describe-table: it is not a JSON object"),
        ("[[]]", "this is not the output of describe-table: it is not a JSON object"),
        ('{"TableNames": ["A"]}', "this is not the output of describe-table: TableName is missing"),
    ],
)
def test_an_invalid_description_is_refused_in_a_line(text: str, why: str) -> None:
    assert refused("--describe", "-", stdin=text).startswith(f"Error: {why}")


def test_no_table_at_all_is_wrong_usage() -> None:
    assert plan().exit_code == 2


# --- where ----------------------------------------------------------------------------------------
def test_a_region_without_prices_is_reported_once() -> None:
    arn = '"TableArn": "arn:aws:dynamodb:mars-north-1:1:table/A"'
    text = f'{{"TableName": "Abc", {arn}}}{{"TableName": "Def", {arn}}}'
    done = plan("--describe", "-", stdin=text)
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "Warning: prices for mars-north-1 are not known. The plan uses us-east-1."
    ]


@pytest.mark.parametrize("words", [("--region", "mars-1"), ()])
def test_the_region_of_the_description_is_used_first(words: tuple[str, ...]) -> None:
    given = words[1] if words else "us-east-1"
    assert planned("--describe", str(EVENTS), *words)[0]["region"] == "us-east-1"
    assert planned("--describe", "-", *words, stdin=BARE)[0]["region"] == given


def test_prices_of_a_file_are_used(tmp_path: Path) -> None:
    shipped = json.loads(Path(prices.__file__).with_name("prices.json").read_text(encoding="utf-8"))
    shipped["date"] = "2026-11-22"
    shipped["regions"]["us-east-1"]["million_read_requests"] = 1.25
    file = tmp_path / "own.json"
    file.write_text(json.dumps(shipped), encoding="utf-8")
    (shown,) = planned("--describe", str(EVENTS), "--prices", str(file))
    reads = next(cost for cost in shown["costs"] if cost["formula"] == "reads")
    assert (shown["prices_date"], reads["price_usd"]) == ("2026-11-22", 1.25)
    assert reads["usd"] == pytest.approx(268.435456 * 1.25)


def test_wrong_prices_are_refused_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text("{}", encoding="utf-8")
    line = refused("--describe", str(EVENTS), "--prices", str(file))
    why = "date is None, not a day such as '2026-11-01'"
    assert line == f"Error: the prices in {file} are not valid: {why}"


# --- what is asked for ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("every", "cron", "runs"),
    [
        ("hour", "cron(0 * * * ? *)", 730.5),
        ("day", "cron(0 10 * * ? *)", 30.4375),
        ("week", "cron(0 10 ? * 1 *)", 4.3482),
        ("cron(30 2 ? * 2-6 *)", "cron(30 2 ? * 2-6 *)", pytest.approx(21.74, abs=0.05)),
    ],
)
def test_a_month_has_the_runs_of_the_schedule(every: str, cron: str, runs: float) -> None:
    (shown,) = planned("--describe", "-", "--every", every, stdin=BARE)
    assert (shown["schedule"], shown["runs_a_month"]) == (cron, runs)


def test_settings_are_those_of_the_stack() -> None:
    words = ("--read-mode", "native", "--format", "orc", "--set", "NumberOfWorkers=3")
    (shown,) = planned("--describe", str(ORDERS), *words, "--set", "GlueVersion=6.0")
    assert (shown["read_mode"], shown["format"], shown["glue_version"]) == (
        "native",
        "orc",
        "6.0",
    )
    chosen = {choice["setting"]: choice["value"] for choice in shown["choices"]}
    assert chosen["NumberOfWorkers"] == "3"
    assert shown["costs"][0]["price_usd"] == 0.308


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--every", "decade"), 2, "Error: 'decade' is not a Glue schedule"),
        (("--every", "cron(* * * * ? *)"), 2, "Error: 'cron(* * * * ? *)' fires every 1 minute"),
        (("--target-duration", "soon"), 2, "Error: 'soon' is not a duration"),
        (("--set", "Workers=3"), 2, "Error: there is no parameter Workers"),
        (("--set", "MaxRetries=3"), 2, "Error: a plan does not depend on MaxRetries"),
        (("--set", "NumberOfWorkers=1"), 2, "Error: NumberOfWorkers is '1'"),
        (
            ("--format", "xml", "--set", "SnapshotRetentionDays=9"),
            2,
            "Error: xml has no view job that could delete old snapshots",
        ),
        (
            ("--set", "MaxConsumedReadThroughput=0.05"),
            2,
            "Error: MaxConsumedReadThroughput is 0.05",
        ),
    ],
)
def test_an_invalid_request_is_refused(words: tuple[str, ...], code: int, line: str) -> None:
    assert refused("--describe", str(EVENTS), *words, code=code) == line


def test_a_request_that_cannot_be_parsed_is_refused_with_the_possible_values() -> None:
    done = plan("--describe", "-", "--max-cost", "nan", stdin=BARE)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "nan is not a number of dollars" in done.stderr
    every = plan("--describe", str(EVENTS), "--every", "fortnight")
    assert "write hour, day, week, month, or six fields" in every.stderr


def lines_of_command(*words: str) -> list[str]:
    shown = plan("--describe", str(ORDERS), *words).stdout
    found = re.search(r"^  dynoexport deploy .*(?:\n    .*)*", shown, re.MULTILINE)
    assert found is not None
    return found[0].splitlines()


def test_the_command_deploys_what_was_planned() -> None:
    """All of its way, because --auto alone would take the cheapest one."""
    assert lines_of_command() == [
        "  dynoexport deploy Orders --auto --read-mode connector --engine spark \\",
        "    --catalog-update crawler",
    ]
    asked = ("--read-mode", "native", "--set", "NumberOfWorkers=9", "--set", "GlueVersion=4.0")
    assert lines_of_command(*asked, "--every", "week", "--set", "SnapshotRetentionDays=30") == [
        "  dynoexport deploy Orders --auto --read-mode native --engine spark \\",
        "    --catalog-update crawler --schedule 'cron(0 10 ? * 1 *)' \\",
        "    --set GlueVersion=4.0 --set SnapshotRetentionDays=30 \\",
        "    --set NumberOfWorkers=9",
    ]
    (shown,) = planned("--describe", str(ORDERS), "--target-duration", "90m")
    assert shown["command"].endswith("--catalog-update crawler --target-duration 90m")


def test_the_plan_names_what_auto_takes_in_one_line() -> None:
    shown = plan("--describe", str(ORDERS)).stdout
    assert (
        "\ndeploy --auto takes native, spark, direct: 4 h 44 min and $4.20 a run\n"
        "  dynoexport deploy Orders --auto --read-mode native\n"
    ) in shown
    (planned_table,) = planned("--describe", str(ORDERS))
    assert planned_table["auto_command"] == "dynoexport deploy Orders --auto --read-mode native"
    assert f"${planned_table['auto_run_usd']:.2f}" == "$4.20"


def test_a_plan_of_the_cheapest_way_has_one_command() -> None:
    way = ("--read-mode", "native", "--catalog-update", "direct")
    (shown,) = planned("--describe", str(ORDERS), *way)
    assert (shown["auto_command"], shown["auto_run_usd"], shown["auto_month_usd"]) == (None,) * 3
    assert "deploy --auto takes" not in plan("--describe", str(ORDERS), *way).stdout


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("--max-cost", "2"), "no run costs $2.00 or less:"),
        (("--max-cost", "0.001"), "no run costs $0.001 or less:"),
        (("--target-duration", "30s"), "no job ends in 30 s:"),
    ],
)
def test_an_unmet_request_is_shown_and_is_a_failure(asked: tuple[str, ...], sentence: str) -> None:
    done = plan("--describe", str(EVENTS), *asked)
    assert done.exit_code == 1
    assert f"not met: {sentence}" in done.stdout
    assert done.stderr.startswith(f"Error: Events: {sentence}")


def described(tmp_path: Path, **facts: object) -> str:
    file = tmp_path / "table.json"
    table = {"TableName": "Orders", "TableSizeBytes": 50 * 1024**3, **facts}
    file.write_text(json.dumps(table), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("reader", ["connector", "native"])
def test_job_that_glue_stops_before_its_end_is_not_recommended(tmp_path: Path, reader: str) -> None:
    file = described(tmp_path, ProvisionedThroughput={"ReadCapacityUnits": 5})
    done = plan("--describe", file, "--read-mode", reader)
    assert done.exit_code == 1
    assert "\nNot recommended: its runs cannot work\n" in done.stdout
    assert "dynoexport deploy" not in done.stdout
    assert re.match(r"Error: Orders: no run can end: .* stops a job after 7 d\n", done.stderr)
    assert "use --read-mode export" in done.stderr


def test_runs_that_overlap_are_not_recommended() -> None:
    words = ("--describe", str(ORDERS), "--read-mode", "export", "--output", "json")
    done = plan(*words, "--every", "cron(0/15 * * * ? *)")
    assert done.exit_code == 1
    (shown,) = json.loads(done.stdout)
    (obstacle,) = shown["obstacles"]
    assert obstacle == (
        "runs overlap: a run takes 19 min 08 s, but the schedule starts one every 15 min, and AWS "
        "Glue refuses a second run; choose a schedule with longer gaps, or look for a faster job "
        "with 'dynoexport plan --target-duration'"
    )
    gone = {alternative["name"]: alternative["gone"] for alternative in shown["alternatives"]}
    assert gone["dynoexport, native"].startswith("runs overlap: a run takes 4 h 45 min")
    assert shown["cheapest"] is None
    assert plan(*words, "--every", "cron(0/20 * * * ? *)").exit_code == 0


def test_the_cheapest_way_is_one_of_dynoexport() -> None:
    """DynamoDB's incremental export costs less, but dynoexport does not offer it."""
    (shown,) = planned("--describe", str(ORDERS))
    month = {alternative["name"]: alternative["month_usd"] for alternative in shown["alternatives"]}
    assert month["DynamoDB export, incremental"] < month["dynoexport, native, direct"]
    assert shown["cheapest"] == "dynoexport, native, direct"
    page = plan("--describe", str(ORDERS)).stdout
    own, _, others = page.partition("\nOther ways, without dynoexport\n")
    (cheapest,) = (line for line in own.splitlines() if line.endswith("cheapest"))
    assert cheapest.split()[1:3] == ["native,", "direct"]
    assert "  DynamoDB export, incremental " in others
    two = plan("--describe", "-", stdin=f"{ORDERS.read_text()}{BARE}").stdout
    assert "native, direct $" in two
    assert "incremental" not in two


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("CREATING", "aws dynamodb wait table-exists --table-name Orders"),
        ("DELETING", "choose a table that stays"),
        ("ARCHIVED", "restore it from its backup"),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "KMS key"),
    ],
)
def test_table_that_nobody_can_read_is_refused_with_its_state(
    tmp_path: Path, state: str, advice: str
) -> None:
    done = plan("--describe", described(tmp_path, TableStatus=state))
    assert (done.exit_code, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first == f"Error: table Orders is {state}"
    assert advice in second


def test_table_that_is_being_updated_can_be_planned(tmp_path: Path) -> None:
    assert plan("--describe", described(tmp_path, TableStatus="UPDATING")).exit_code == 0


# --- for people -----------------------------------------------------------------------------------
@pytest.mark.parametrize("words", [(), ("--read-mode", "native"), ("--read-mode", "export")])
@pytest.mark.parametrize("file", [EVENTS, ORDERS])
def test_a_plan_fits_80_columns(file: Path, words: tuple[str, ...]) -> None:
    lines = plan("--describe", str(file), *words).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)


def test_the_summary_adds_up() -> None:
    both = f"{EVENTS.read_text()}{ORDERS.read_text()}"
    *_, whole = plan("--describe", "-", stdin=both).stdout.splitlines()
    shown = planned("--describe", "-", stdin=both)
    assert whole.split()[:2] == ["all", "2.0"]
    for key in ("run_usd", "month_usd"):
        assert units.dollars(sum(table_plan[key] for table_plan in shown)) in whole
