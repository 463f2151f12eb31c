"""CloudWatch by Smithy's RPC v2 CBOR, as the AWS SDKs for Java and Go call it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import botocore.model
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint


@pytest.fixture
def client(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make clients of botocore that speak CBOR alone."""
    protocols = ("smithy-rpc-v2-cbor",)
    monkeypatch.setattr(botocore.model, "PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", protocols)

    def make(service: str, **keys: str) -> Any:
        given = {
            "aws_access_key_id": endpoint.env["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": endpoint.secret,
            **keys,
        }
        session = boto3.Session(region_name=endpoint.region, **given)  # type: ignore[arg-type]
        made: Any = session.client(service, endpoint_url=endpoint.url)  # type: ignore[call-overload]
        assert made.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
        return made

    return make


def put(cloudwatch: Any, metric: str, values: list[float], at: datetime) -> None:
    data = [{"MetricName": metric, "Value": value, "Timestamp": at} for value in values]
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=data)


def test_metrics_are_put_and_read(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    put(cloudwatch, "Orders", [1.5, 2], now)
    statistics = cloudwatch.get_metric_statistics(
        Namespace="Shop",
        MetricName="Orders",
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=60,
        Statistics=["Sum", "SampleCount"],
    )
    points = [(point["Timestamp"], point["Sum"]) for point in statistics["Datapoints"]]
    assert points == [(now, 3.5)]


def test_compressed_call_is_read(client: Callable[..., Any]) -> None:
    """The SDKs compress PutMetricData from 10 KiB on."""
    cloudwatch, encodings = client("cloudwatch"), []
    cloudwatch.meta.events.register(
        "before-send.cloudwatch.PutMetricData",
        lambda request, **_: encodings.append(request.headers["Content-Encoding"]),
    )
    put(cloudwatch, "ManyOrders", [1.0] * 500, datetime.now(timezone.utc))
    assert encodings == [b"gzip"]
    assert cloudwatch.list_metrics(MetricName="ManyOrders")["Metrics"] == [
        {"Namespace": "Shop", "MetricName": "ManyOrders", "Dimensions": []}
    ]


def test_error_has_its_type(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.get_dashboard(DashboardName="missing")


def test_wrong_secret_is_refused(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch", aws_secret_access_key="not this one")
    with pytest.raises(ClientError, match=r"InvalidSignatureException.*secret access key"):
        cloudwatch.list_metrics()


def test_operation_that_the_endpoint_lacks_is_refused_by_name(client: Callable[..., Any]) -> None:
    cloudwatch = client("cloudwatch")
    with pytest.raises(ClientError, match="not on the local endpoint") as caught:
        cloudwatch.list_metric_streams()
    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_other_services_answer_in_cbor(client: Callable[..., Any]) -> None:
    found = client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "dynoexport:table", "Values": ["missing"]}]
    )
    assert found["ResourceTagMappingList"] == []
