"""A small table without Spark: what it costs, what is refused, and what deploy advises."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from dynoexport import (
    OutputFormat,
    ParameterRefused,
    PlanRequest,
    parse_request,
    plans_described,
)
from dynoexport.aws.change_sets import Stack
from dynoexport.cloudformation import options
from dynoexport.operations import checks
from dynoexport.operations.checks import SettingsRefused
from dynoexport.operations.savings import find_saving
from dynoexport.operations.targets import Target

if TYPE_CHECKING:
    from dynoexport.operations.plan import Planned

MB, GB = 1024**2, 1024**3
CHEAP = {"ReadMode": "native", "Engine": "python", "CatalogUpdate": "direct"}
TEN = {"NumberOfWorkers": "10", "WorkerType": "G.1X"}


def described(size: int, **more: Any) -> str:
    table = {
        "TableName": "Orders",
        "TableArn": "arn:aws:dynamodb:us-east-1:123456789012:table/Orders",
        "TableSizeBytes": size,
        "ItemCount": size // 1024,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "TableStatus": "ACTIVE",
    }
    return json.dumps({"Table": {**table, **more}})


def planned(size: int, parameters: dict[str, str], *, every: str = "day", **asked: Any) -> Planned:
    request = parse_request(parameters, PlanRequest(**asked))
    (found,) = plans_described(described(size), region="us-east-1", request=request, every=every)
    return found


def glue_dollars(found: Planned) -> float:
    """What Glue charges for a run, without reads and requests."""
    return sum(cost.dollars for cost in found.estimate.costs if cost.unit == "DPU-h")


def test_glue_charges_a_tenth_of_a_cent_for_a_hundred_megabytes() -> None:
    """And 17 cents with the smallest Spark job and a crawler."""
    assert glue_dollars(planned(100 * MB, CHEAP)) == pytest.approx(0.0017, abs=0.0001)
    assert glue_dollars(planned(100 * MB, {"ReadMode": "native"})) == pytest.approx(0.17, abs=0.005)


def test_a_run_of_an_almost_empty_table_is_billed_by_the_minute() -> None:
    """Two jobs of 0.0625 DPU: https://aws.amazon.com/glue/pricing/."""
    two_minutes = 2 * 60 * 0.0625 / 3600 * 0.44
    assert glue_dollars(planned(1_000, CHEAP)) == pytest.approx(two_minutes)


def test_the_smallest_capacity_is_recommended_unless_a_run_must_be_faster() -> None:
    usual = planned(GB, CHEAP)
    faster = planned(GB, CHEAP, target_seconds=600)
    assert usual.recommendation.parameters["MaxCapacity"] == "0.0625"
    assert faster.recommendation.parameters["MaxCapacity"] == "1"
    assert faster.estimate.run_seconds < 600 < usual.estimate.run_seconds
    assert "NumberOfWorkers" not in usual.recommendation.parameters
    assert (usual.estimate.job.tasks, faster.estimate.job.tasks) == (1, 4)


def test_the_command_of_a_plan_deploys_its_job() -> None:
    words = " ".join(planned(GB, {**CHEAP, "MaxCapacity": "1"}).command)
    for option in ("--engine python", "--catalog-update direct", "--set MaxCapacity=1"):
        assert option in words


def test_a_large_table_needs_spark() -> None:
    (obstacle,) = planned(11 * GB, CHEAP).recommendation.obstacles
    assert str(obstacle) == (
        "Engine python takes tables of at most 10.0 GiB, and this one has 11.0 GiB; use Spark, "
        "which is faster at about the same price: --engine spark"
    )
    assert planned(10 * GB, CHEAP).recommendation.obstacles == ()


@pytest.mark.parametrize(("engine", "refused"), [("python", True), ("spark", False)])
def test_deploy_refuses_a_large_table(engine: str, *, refused: bool) -> None:
    stack = Stack("dynoexport-Orders-parquet", "", {"Engine": engine})
    answer = json.loads(described(11 * GB))
    target = Target("Orders", OutputFormat.PARQUET, stack, None, None, answer)
    with pytest.raises(SettingsRefused, match=r"11\.0 GiB") if refused else nullcontext():
        checks.check_size(target)


@pytest.mark.parametrize(
    "parameters",
    [
        {"Engine": "python"},
        {"Engine": "python", "ReadMode": "connector"},
        {"Engine": "python", "ReadMode": "native", "ExecutionClass": "FLEX"},
    ],
)
def test_what_needs_spark_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(ParameterRefused, match="Engine python needs ReadMode native or export"):
        parse_request(parameters)


def test_a_predicate_needs_spark() -> None:
    broken = options.broken_rules({**CHEAP, "Where": "rating > 3"})
    assert [rule.name for rule in broken] == ["PythonReads"]
    assert list(options.broken_rules({**CHEAP, "Where": ""})) == []


# --- what deploy advises --------------------------------------------------------------------------
def test_a_small_table_on_the_expensive_way_gets_the_command_of_the_cheap_one() -> None:
    assert find_saving(planned(100 * MB, TEN)) == (
        "Orders is small: without Spark and crawler, a run costs about $0.0044 instead of $0.30, "
        "which saves $8.93 a month: "
        "dynoexport deploy Orders --read-mode native --engine python --catalog-update direct"
    )


def test_the_reader_that_is_lossless_already_stays() -> None:
    for reader in ("native", "export"):
        advice = find_saving(planned(100 * MB, {**TEN, "ReadMode": reader}))
        assert advice is not None
        assert advice.endswith("dynoexport deploy Orders --engine python --catalog-update direct")


@pytest.mark.parametrize(
    ("size", "parameters", "every"),
    [
        (100 * MB, CHEAP, "day"),
        (2 * GB, TEN, "day"),
        (100 * MB, {**TEN, "ReadMode": "native", "CatalogUpdate": "direct"}, "month"),
    ],
    ids=["already", "large", "rare"],
)
def test_nobody_is_advised_to_save_nothing(
    size: int, parameters: dict[str, str], every: str
) -> None:
    assert find_saving(planned(size, parameters, every=every)) is None


@pytest.mark.parametrize("fmt", list(OutputFormat))
def test_every_format_can_be_written_without_spark(fmt: OutputFormat) -> None:
    found = planned(100 * MB, CHEAP, format=fmt)
    assert found.recommendation.obstacles == ()
    assert found.estimate.job.is_python
