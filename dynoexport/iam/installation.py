"""An installation of exports, and what several of its policies allow."""

from __future__ import annotations

from dataclasses import dataclass

from awacs import cloudwatch, dynamodb, s3
from awacs.aws import Action, Condition, Statement, StringEquals, StringLike

from dynoexport import naming
from dynoexport.iam.statements import allow

# The command's stacks begin with it, and so do all names that CloudFormation makes for them.
OURS = "dynoexport-*"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Where exports are: an account and region.

    Attributes:
        boundary: ARN of the permissions boundary that roles of exports must have; empty: none.
        key: ARN of the KMS key that the common stack was given; empty: none.
    """

    account: str
    region: str
    partition: str = "aws"
    boundary: str = ""
    key: str = ""

    def arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"

    def arns(self, service: str, *resources: str) -> list[str]:
        return [self.arn(service, resource) for resource in resources]

    @property
    def bucket(self) -> str:
        return f"arn:{self.partition}:s3:::{naming.bucket(self.account, self.region)}"

    def objects(self, *prefixes: str) -> list[str]:
        return [f"{self.bucket}/{prefix}*" for prefix in prefixes]

    @property
    def catalog(self) -> list[str]:
        return self.arns("glue", "catalog", f"database/{naming.DATABASE}")

    @property
    def tables(self) -> list[str]:
        return [*self.catalog, self.arn("glue", f"table/{naming.DATABASE}/*")]

    @property
    def services(self) -> str:
        """The domain in the names of AWS's services."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"


def use_key(at: Installation, *actions: Action) -> list[Statement]:
    """The installation's key, through S3 only; empty without a key.

    A write in parts needs Decrypt, too:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    if not at.key:
        return []
    by_s3 = Condition(StringEquals("kms:ViaService", f"s3.{at.region}.{at.services}"))
    return [allow("UseKey", actions, [at.key], by_s3)]


def snapshot_alarms(at: Installation) -> str:
    """The ARN of the alarms for missing snapshots of all exports."""
    return at.arn("cloudwatch", f"alarm:{naming.snapshot_alarm('*', '*')}")


def publish_datapoints() -> Statement:
    """A new alarm needs a datapoint; a policy can limit only its namespace."""
    ours = Condition(StringLike("cloudwatch:namespace", f"{naming.METRIC_NAMESPACES}*"))
    return allow("ZeroDatapoint", [cloudwatch.PutMetricData], ["*"], ours)


def read_tables(
    at: Installation, *more: Action, tables: tuple[Action, ...] = ()
) -> list[Statement]:
    """Tables, what others read of them, and manifests of former runs.

    ``more`` are actions without resources, ``tables`` those on tables. Statements of their own
    would be longer.
    """
    return [
        allow(
            "ReadTables",
            [dynamodb.DescribeTable, dynamodb.DescribeContinuousBackups, *tables],
            at.arns("dynamodb", "table/*"),
        ),
        # These actions have no resource-level permissions:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
        allow(
            "ReadAccount",
            [dynamodb.ListTables, dynamodb.DescribeLimits, cloudwatch.GetMetricStatistics, *more],
            ["*"],
        ),
        read_manifests(at),
    ]


def read_manifests(at: Installation) -> Statement:
    """The manifests of all exports."""
    return allow("ReadManifests", [s3.GetObject], at.objects(naming.MANIFESTS_PREFIX))
