"""What a role can be granted: the scope of one table stack, and the statements roles share.

ARNs name partition, region and account by CloudFormation's pseudo parameters, so that the same
text is right in ``aws``, ``aws-cn`` and ``aws-us-gov``. S3 keys and names come from
``dynoexport.naming``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from awacs import athena, cloudwatch, logs, s3
from awacs.aws import (
    Action,
    Allow,
    BaseARN,
    Condition,
    PolicyDocument,
    Statement,
    StringEquals,
    StringLike,
)
from troposphere import Sub

from dynoexport import naming

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from troposphere import AWSHelperFn

REGION = "${AWS::Region}"
_VERSION = "2012-10-17"
_ACCOUNT = "${AWS::AccountId}"
_MARKER = "_$folder$"

READ = (s3.GetObject,)
# As Hadoop's S3 clients need it:
# https://hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/assumed_roles.html
WRITE = (s3.GetObject, s3.PutObject, s3.AbortMultipartUpload)
# Also for multipart uploads. Athena needs them for results, and S3A's magic committer, the default
# of Glue 5.1 and 6.0, for files:
# https://docs.aws.amazon.com/athena/latest/ug/querying-iam.html
# https://hadoop.apache.org/docs/r3.4.1/hadoop-aws/tools/hadoop-aws/committers.html
WRITE_PARTS = (*WRITE, s3.ListMultipartUploadParts)
QUERY = (athena.StartQueryExecution, athena.GetQueryExecution, athena.StopQueryExecution)
# Athena asks for GetDatabase on it whatever the query names:
# https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
ANY_QUERYS_DATABASE = "database/default"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What the roles of one table stack are limited to.

    The texts may contain ``${...}`` of the template's parameters. ``names`` gives the texts of
    ``${Bucket}``, ``${Database}`` and ``${WorkGroup}``, which are not parameters; ``imports``
    gives the value of ``${KmsKey}``.
    """

    table: str
    format: str
    catalog_prefix: str
    workflow: str
    scripts_version: str
    connection: str
    source_role: str
    table_key: str
    catalog_key: str
    names: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, AWSHelperFn] = field(default_factory=dict)

    def text(self, template: str) -> Sub | str:
        """``Fn::Sub`` of the text with the values it mentions; itself if it mentions none."""
        for name, value in self.names.items():
            template = template.replace(f"${{{name}}}", value)
        if "${" not in template:
            return template
        used = {name: value for name, value in self.imports.items() if f"${{{name}}}" in template}
        return Sub(template, **used)

    def arn(self, service: str, resource: str) -> Sub | str:
        """An ARN in this partition, region and account."""
        return self.text(
            BaseARN(service=service, resource=resource, region=REGION, account=_ACCOUNT).data
        )

    def bucket(self) -> Sub | str:
        return self.text(s3.ARN("${Bucket}", region=REGION).data)

    def objects(self, *keys: str) -> list[Sub | str]:
        """The objects with these keys, which may end in ``*``."""
        return [self.text(s3.ARN(f"${{Bucket}}/{key}", region=REGION).data) for key in keys]

    @property
    def data(self) -> str:
        return naming.data_prefix(self.table, self.format)

    @property
    def manifests(self) -> str:
        return naming.manifest_prefix(self.table, self.format)

    @property
    def view_results(self) -> str:
        return naming.view_results_prefix(self.table, self.format)

    @property
    def temp(self) -> str:
        return naming.temp_prefix(self.table, self.format)


def policy(statements: Iterable[Statement]) -> PolicyDocument:
    return PolicyDocument(Version=_VERSION, Statement=list(statements))


def allow(
    sid: str,
    actions: Sequence[Action],
    resources: Sequence[object],
    condition: Condition | None = None,
) -> Statement:
    options = {} if condition is None else {"Condition": condition}
    return Statement(
        Sid=sid, Effect=Allow, Action=list(actions), Resource=list(resources), **options
    )


def read_script(scope: Scope, script: str) -> Statement:
    key = naming.script_key(script, scope.scripts_version)
    return allow("ReadScript", READ, scope.objects(key))


def locate_bucket(scope: Scope, *more: Action) -> Statement:
    """Read the bucket's region, the first call of Athena and of Glue's S3 clients, and ``more``."""
    return allow("LocateBucket", [s3.GetBucketLocation, *more], [scope.bucket()])


def list_bucket(scope: Scope, prefixes: list[str], *exact: str) -> Statement:
    """List below the prefixes, and exactly the ``exact`` ones.

    For a missing key, S3 answers "not found" only to callers with this permission, with the key as
    ``s3:prefix``. Others get "forbidden" (https://github.com/ceph/ceph/pull/68577).
    """
    patterns = [*(f"{prefix}*" for prefix in prefixes), *exact]
    return list_keys(scope.bucket(), [scope.text(pattern) for pattern in patterns])


def list_keys(bucket: object, patterns: Sequence[object]) -> Statement:
    """List the bucket where ``s3:prefix`` is like one of the patterns."""
    condition = Condition(StringLike("s3:prefix", list(patterns)))
    return allow("ListBucket", [s3.ListBucket], [bucket], condition)


def _parents(*prefixes: str) -> list[str]:
    """The directories above and at the prefixes, without a closing slash, shortest first.

    >>> _parents("csv/Orders/")
    ['csv', 'csv/Orders']
    """
    directories = set()
    for prefix in prefixes:
        parts = prefix.rstrip("/").split("/")
        directories |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    return sorted(directories)


def probes(*prefixes: str) -> list[str]:
    """Keys that Hadoop's S3 clients list before they write, to see whether parents are directories.

    They look for the name, for keys below it, and EMRFS for its marker object.
    https://hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/directory_markers.html
    """
    keys = [f"{parent}{end}" for parent in _parents(*prefixes) for end in ("", "/", _MARKER)]
    return [probe for probe in keys if probe not in prefixes]


def markers(*prefixes: str) -> list[str]:
    """The empty objects by which EMRFS, ``s3://`` of Glue up to 5.0, marks new directories.

    https://repost.aws/knowledge-center/emr-s3-empty-files
    """
    return [f"{parent}{_MARKER}" for parent in _parents(*prefixes)]


def catalog(scope: Scope, stem: str) -> list[Sub | str]:
    """The tables that begin with the export's prefix and ``stem``, and what contains them.

    No narrower, because the catalog has the table's name in lower case, IAM compares with case,
    and CloudFormation cannot lower-case a parameter. A CatalogPrefix narrows it to this export.
    """
    return [
        scope.arn("glue", "catalog"),
        scope.arn("glue", "database/${Database}"),
        scope.arn("glue", f"table/${{Database}}/{scope.catalog_prefix}{stem}*"),
    ]


def use_run_properties(scope: Scope, actions: Sequence[Action]) -> Statement:
    return allow("UseRunProperties", actions, [scope.arn("glue", f"workflow/{scope.workflow}")])


def write_logs(scope: Scope, *groups: str) -> Statement:
    """Glue writes a job's or crawler's log as its role, and names groups and streams itself.

    A security configuration adds its own and the role's name to the group, hence the pattern:
    https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging-enable.html
    """
    return allow(
        "WriteLogs",
        [logs.CreateLogGroup, logs.CreateLogStream, logs.PutLogEvents],
        [scope.arn("logs", f"log-group:{group}") for group in groups],
    )


def write_metrics(*namespaces: Sub | str) -> Statement:
    """PutMetricData has no resources; a policy can limit only the namespace.

    So each table has its own: no role can hide that another table has no new snapshot.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
    """
    return allow(
        "WriteMetrics",
        [cloudwatch.PutMetricData],
        ["*"],
        Condition(StringEquals("cloudwatch:namespace", list(namespaces))),
    )
