"""The common stack, one in an account and region: what all exports share."""

from __future__ import annotations

from troposphere import (
    Equals,
    Export,
    If,
    Not,
    NoValue,
    Output,
    Ref,
    Select,
    Split,
    Sub,
    Template,
    athena,
    glue,
    s3,
    sns,
)

from dynoexport import naming, settings
from dynoexport.cloudformation import form, parameters
from dynoexport.iam import job_roles

BUCKET = "Bucket"
BUCKET_POLICY = "BucketPolicy"
DATABASE = "Database"
WORK_GROUP = "WorkGroup"
VIEW_WORK_GROUP = "ViewWorkGroup"
SECURITY_CONFIGURATION = "SecurityConfiguration"
TOPIC = "Topic"
TOPIC_POLICY = "TopicPolicy"

# If the creation of the stack fails, an empty bucket that stays would prevent the next attempt:
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
_KEPT = "RetainExceptOnCreate"

HAS_KEY = "HasKmsKey"
HAS_TOPIC = "HasTopic"

_DESCRIPTION = (
    "dynoexport: the bucket, Glue database and Athena workgroup that the exports of all DynamoDB "
    "tables of this account and region share. Deploy it once, then table.yaml for each table."
)


def build() -> Template:
    """The template of the common stack."""
    template = Template(Description=_DESCRIPTION)
    template.set_version()
    form.add_to(template, parameters.common_groups())
    template.add_condition(HAS_KEY, Not(Equals(Ref(settings.KMS_KEY_ARN), "")))
    template.add_condition(HAS_TOPIC, Not(Equals(Ref(settings.NOTIFICATION_EMAIL), "")))
    _add_bucket(template)
    _add_database(template)
    _add_work_group(template)
    _add_view_work_group(template)
    _add_security_configuration(template)
    _add_topic(template)
    _add_outputs(template)
    return template


def _add_bucket(template: Template) -> None:
    """The data stays when the stack is deleted.

    Not versioned: snapshots never change, and the retention deletes them for good.
    """
    bucket = s3.Bucket(
        BUCKET,
        BucketName=Sub(naming.bucket("${AWS::AccountId}", "${AWS::Region}")),
        BucketEncryption=_encryption(),
        LifecycleConfiguration=s3.LifecycleConfiguration(Rules=_lifecycle()),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True,
            BlockPublicPolicy=True,
            IgnorePublicAcls=True,
            RestrictPublicBuckets=True,
        ),
        DeletionPolicy=_KEPT,
        UpdateReplacePolicy="Retain",
        Metadata=_unchecked(
            CKV_AWS_18="Access logs need another bucket; CloudTrail records the same",
            CKV_AWS_19="checkov does not evaluate If: the key is S3's or KmsKeyArn",
            CKV_AWS_21="Snapshots never change, and the retention deletes them for good",
        ),
    )
    template.add_resource(bucket)
    template.add_resource(
        s3.BucketPolicy(
            BUCKET_POLICY, Bucket=Ref(BUCKET), PolicyDocument=job_roles.tls_only(Ref(BUCKET))
        )
    )


def _unchecked(**reasons: str) -> dict[str, object]:
    """Rules of checkov that do not apply to a resource, each with its reason.

    https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
    """
    return {"checkov": {"skip": [{"id": rule, "comment": why} for rule, why in reasons.items()]}}


def _encryption() -> s3.BucketEncryption:
    """A bucket key saves a KMS request for each object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
    """
    return s3.BucketEncryption(
        ServerSideEncryptionConfiguration=[
            s3.ServerSideEncryptionRule(
                BucketKeyEnabled=If(HAS_KEY, True, NoValue),
                ServerSideEncryptionByDefault=s3.ServerSideEncryptionByDefault(
                    SSEAlgorithm=If(HAS_KEY, "aws:kms", "AES256"),
                    KMSMasterKeyID=If(HAS_KEY, Ref(settings.KMS_KEY_ARN), NoValue),
                ),
            )
        ]
    )


def _lifecycle() -> list[s3.LifecycleRule]:
    """Rules for files that only a run needs; they never delete snapshots."""
    return [
        s3.LifecycleRule(
            Id="AbortStaleUploads",
            Status="Enabled",
            AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(
                DaysAfterInitiation=settings.STALE_UPLOAD_DAYS
            ),
        ),
        s3.LifecycleRule(
            Id="ExpireTemporaryFiles",
            Status="Enabled",
            Prefix=naming.TEMP_PREFIX,
            ExpirationInDays=settings.TEMP_FILES_DAYS,
        ),
        s3.LifecycleRule(
            Id="ExpireQueryResults",
            Status="Enabled",
            Prefix=naming.ATHENA_RESULTS_PREFIX,
            ExpirationInDays=settings.QUERY_RESULTS_DAYS,
        ),
    ]


def _add_database(template: Template) -> None:
    """Retained like the data: deleting it would delete every table and view in it."""
    template.add_resource(
        glue.Database(
            DATABASE,
            CatalogId=Ref("AWS::AccountId"),
            DatabaseInput=glue.DatabaseInput(
                Name=naming.DATABASE,
                Description="Snapshots of DynamoDB tables and their current views",
            ),
            DeletionPolicy=_KEPT,
            UpdateReplacePolicy="Retain",
        )
    )


def _add_work_group(template: Template) -> None:
    """Enforced, so that no client's settings send results elsewhere or leave them unencrypted.

    https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html
    """
    location = f"s3://${{{BUCKET}}}/{naming.ATHENA_RESULTS_PREFIX}"
    template.add_resource(
        athena.WorkGroup(
            WORK_GROUP,
            Name=naming.WORK_GROUP,
            Description="Queries of exported DynamoDB tables",
            # Otherwise a workgroup with a query history cannot be deleted.
            RecursiveDeleteOption=True,
            State="ENABLED",
            WorkGroupConfiguration=athena.WorkGroupConfiguration(
                EnforceWorkGroupConfiguration=True,
                PublishCloudWatchMetricsEnabled=True,
                ResultConfiguration=athena.ResultConfiguration(
                    OutputLocation=Sub(location),
                    EncryptionConfiguration=athena.EncryptionConfiguration(
                        EncryptionOption=If(HAS_KEY, "SSE_KMS", "SSE_S3"),
                        KmsKey=If(HAS_KEY, Ref(settings.KMS_KEY_ARN), NoValue),
                    ),
                ),
            ),
        )
    )


def _add_view_work_group(template: Template) -> None:
    """Not enforced: each view job sends its results to its own prefix, the only one it may write.

    The bucket's default encryption applies to them.
    """
    template.add_resource(
        athena.WorkGroup(
            VIEW_WORK_GROUP,
            Name=naming.VIEW_WORK_GROUP,
            Description="Publication of the current views",
            RecursiveDeleteOption=True,
            State="ENABLED",
            WorkGroupConfiguration=athena.WorkGroupConfiguration(
                EnforceWorkGroupConfiguration=False,
                PublishCloudWatchMetricsEnabled=True,
            ),
            Metadata=_unchecked(
                CKV_AWS_82="Each view job has a prefix of its own; the bucket encrypts by default"
            ),
        )
    )


def _add_security_configuration(template: Template) -> None:
    """Its name has the key's ID: Glue cannot change it, so another key needs a new one.

    https://docs.aws.amazon.com/glue/latest/webapi/API_SecurityConfiguration.html
    """
    key = Ref(settings.KMS_KEY_ARN)
    # The slash at the end gives an empty ARN two parts, too.
    key_id = Select(1, Split("/", Sub(f"${{{settings.KMS_KEY_ARN}}}/")))
    template.add_resource(
        glue.SecurityConfiguration(
            SECURITY_CONFIGURATION,
            Condition=HAS_KEY,
            Name=Sub(naming.security_configuration("${KeyId}"), KeyId=key_id),
            EncryptionConfiguration=glue.EncryptionConfiguration(
                S3Encryptions=[glue.S3Encryption(S3EncryptionMode="SSE-KMS", KmsKeyArn=key)],
                CloudWatchEncryption=glue.CloudWatchEncryption(
                    CloudWatchEncryptionMode="SSE-KMS", KmsKeyArn=key
                ),
                JobBookmarksEncryption=glue.JobBookmarksEncryption(
                    JobBookmarksEncryptionMode="DISABLED"
                ),
            ),
            Metadata=_unchecked(CKV_AWS_99="The jobs keep no bookmarks that could be encrypted"),
        )
    )


def _add_topic(template: Template) -> None:
    """Encrypted with the user's key or not at all.

    EventBridge cannot publish to a topic encrypted with the key that AWS manages for SNS:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
    """
    template.add_resource(
        sns.Topic(
            TOPIC,
            Condition=HAS_TOPIC,
            DisplayName="dynoexport",
            KmsMasterKeyId=If(HAS_KEY, Ref(settings.KMS_KEY_ARN), NoValue),
            Subscription=[
                sns.Subscription(Endpoint=Ref(settings.NOTIFICATION_EMAIL), Protocol="email")
            ],
        )
    )
    template.add_resource(
        sns.TopicPolicy(
            TOPIC_POLICY,
            Condition=HAS_TOPIC,
            Topics=[Ref(TOPIC)],
            PolicyDocument=job_roles.services_publish(Ref(TOPIC)),
        )
    )


def _add_outputs(template: Template) -> None:
    """What table stacks import; an export's name cannot change while one does."""
    exports = naming.Exports("${AWS::StackName}")
    _export(template, "BucketName", "Bucket of all exports", Ref(BUCKET), exports.bucket)
    _export(
        template, "DatabaseName", "Glue database of all exports", Ref(DATABASE), exports.database
    )
    _export(
        template, "WorkGroup", "Athena workgroup for queries", Ref(WORK_GROUP), exports.work_group
    )
    _export(
        template,
        "ViewWorkGroup",
        "Athena workgroup of the view jobs",
        Ref(VIEW_WORK_GROUP),
        exports.view_work_group,
    )
    _export(
        template,
        "SecurityConfiguration",
        "Glue security configuration that encrypts with the KMS key",
        Ref(SECURITY_CONFIGURATION),
        exports.security_configuration,
        Condition=HAS_KEY,
    )
    _export(
        template,
        "KmsKeyArn",
        "KMS key that encrypts all exports",
        Ref(settings.KMS_KEY_ARN),
        exports.kms_key_arn,
        Condition=HAS_KEY,
    )
    _export(
        template,
        "TopicArn",
        "Topic for notifications about exports",
        Ref(TOPIC),
        exports.topic_arn,
        Condition=HAS_TOPIC,
    )


def _export(
    template: Template, key: str, description: str, value: Ref, name: str, **condition: str
) -> None:
    template.add_output(
        Output(key, Description=description, Value=value, Export=Export(Sub(name)), **condition)
    )
