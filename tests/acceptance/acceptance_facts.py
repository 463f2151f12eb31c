"""Facts that dynoexport relies on and AWS does not document: the acceptance run observes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What a run on AWS showed."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Fact:
    """A statement about AWS.

    Attributes:
        source: where it is discussed.
        otherwise: what dynoexport does if it is not true.
    """

    key: str
    statement: str
    source: str
    otherwise: str


UNSCHEDULED_START = "unscheduled start"
TRUST = "trust"
RETRY = "retry"
LISTENER = "listener"
CONNECTOR = "connector"
CHECKSUMS = "checksums"
NOTIFICATION = "notification"
NESTED = "nested text"
DECIMALS = "avro decimals"
FILE_OF_ARGUMENTS = "arguments"
LIBRARIES = "shell libraries"
SWITCH = "switch of the engine"
IMPORT = "import of what exists"
VIEW = "view permissions"

FACTS = (
    Fact(
        UNSCHEDULED_START,
        "StartWorkflowRun starts a workflow whose scheduled trigger was never activated.",
        "https://docs.aws.amazon.com/glue/latest/dg/running_monitoring_workflow.html",
        "`run` would say to switch the schedule on first",
    ),
    Fact(
        TRUST,
        "Glue can assume roles whose trust policies check aws:SourceAccount where it is sent.",
        "https://docs.aws.amazon.com/glue/latest/dg/cross-service-confused-deputy-prevention.html",
        "no job would start",
    ),
    Fact(
        RETRY,
        "A job that succeeds in its second attempt fires the conditional trigger, and the run's "
        "statistics count it as succeeded.",
        "https://docs.aws.amazon.com/glue/latest/dg/about-triggers.html",
        "a run with a retry would end without a new view",
    ),
    Fact(
        LISTENER,
        "Executors reach a TCP port of the driver, by which the native reader deals out segments.",
        "https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html",
        "the native reader would wait for its workers until its deadline",
    ),
    Fact(
        CONNECTOR,
        "Glue's DynamoDB connector changes values: numbers to double or long, sets to lists, "
        "elements of lists to text; it leaves out NULL.",
        "https://github.com/awslabs/amazon-dynamodb-tools/issues/184",
        "docs/types.md would promise less than the connector keeps, and the warnings of deploy and "
        "run would name too much",
    ),
    Fact(
        CHECKSUMS,
        "An export to S3 comes with manifest-summary.md5 and manifest-files.md5.",
        "https://github.com/scylladb/scylladb/blob/master/test/alternator/test_export.py",
        "the job would log that it reads the manifests without verification",
    ),
    Fact(
        NOTIFICATION,
        "A failed export job sends its event, and the topic's subscribers get the message.",
        "https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html",
        "nobody would hear of a failed run",
    ),
    Fact(
        NESTED,
        "Athena prints rows and maps as {name=value, ...} and arrays as [value, ...].",
        "https://docs.aws.amazon.com/athena/latest/ug/querying-arrays.html",
        "only the text of nested values in results would differ",
    ),
    Fact(
        DECIMALS,
        "On Glue 3.0, Glue's avro writer of version 1.8 writes decimals that Athena reads.",
        "https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html",
        "queries of avro snapshots with decimals would fail",
    ),
    Fact(
        FILE_OF_ARGUMENTS,
        "Jobs start with the arguments of the template, mixed with those of Glue.",
        "https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html",
        "the job would end at once with the argument that it misses",
    ),
    Fact(
        SWITCH,
        "An update of a stack turns a Spark job into a Python shell job of the same name.",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-glue-job.html",
        "the update would be rolled back; destroy the export, which keeps its data, and deploy it",
    ),
    Fact(
        LIBRARIES,
        "A Python shell job with library-set=analytics has pyarrow 7.0.0, or pip installs it.",
        "https://docs.aws.amazon.com/glue/latest/dg/add-job-python.html",
        "the job would end with one line that says how to add its wheel",
    ),
    Fact(
        IMPORT,
        "CloudFormation imports a bucket and a Glue database into a new stack, and updates it.",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html",
        "`init` would say which type CloudFormation does not import, and change nothing",
    ),
    Fact(
        VIEW,
        "Athena creates and replaces a view for a role that may get the database, and get, create "
        "and update tables.",
        "https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html",
        "the view job would fail with the name of the permission that it lacks",
    ),
)


@dataclass(frozen=True)
class Finding:
    """An observation of a fact."""

    fact: str
    outcome: Outcome
    seen: str
