"""What the table stack creates, read from the template that is shipped."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from deployed import IMPORTS, PSEUDO, Deployed, parsed

from dynoexport import limits, naming, settings
from dynoexport.errors import ScheduleRefused
from dynoexport.model import GlueVersion, OutputFormat
from dynoexport.naming import Export
from dynoexport.workflow import schedule
from dynoexport.workflow.pipeline import JOB_STATES

TABLE = parsed("table.yaml")
# Pairwise distinct, so that no value can stand in for another.
GIVEN = {
    "TableName": "Or-ders.v2",
    "OutputFormat": "orc",
    "CatalogPrefix": "shop_",
    "CatalogUpdate": "crawler",
    "Schedule": "cron(30 4 * * ? *)",
    "ScheduleState": "ENABLED",
    "MaxConsumedReadThroughput": "0.5",
    "Splits": "17",
    "Engine": "spark",
    "WorkerType": "G.2X",
    "NumberOfWorkers": "11",
    "GlueVersion": "4.0",
    "ReadMode": "native",
    "Columns": "User,Book",
    "Exclude": "Email",
    "Where": "rating > 1",
    "TypeConflicts": "columns",
    "MapsAs": "map",
    "MaxStructFields": "77",
    "Compression": "gzip",
    "SourceRoleArn": "arn:aws-cn:iam::210987654321:role/reader",
    "ConnectionName": "inside",
    "SnapshotRetentionDays": "90",
    "MaxRetries": "3",
    "TimeoutMinutes": "45",
    "NotifyOnFailure": "true",
    "MaxRunMinutes": "33",
    "MaxSnapshotAgeHours": "26",
    "UseKmsKey": "true",
    "ScriptsVersion": "v7",
    "CommonStackName": "shared",
}


def table(**parameters: str) -> Deployed:
    return Deployed(TABLE, {**GIVEN, **parameters})


def test_only_the_table_must_be_named() -> None:
    required = [
        name for name, parameter in TABLE["Parameters"].items() if "Default" not in parameter
    ]
    assert required == ["TableName"]


def test_the_baselines_parameters_keep_names_bounds_and_defaults() -> None:
    parameters = TABLE["Parameters"]
    share = parameters["MaxConsumedReadThroughput"]
    assert (share["MinValue"], share["MaxValue"], share["Default"]) == (0.001, 1.0, "0.25")
    assert parameters["OutputFormat"]["AllowedValues"] == [fmt.value for fmt in OutputFormat]
    assert parameters["Schedule"]["Default"] == "cron(0 10 * * ? *)"
    assert parameters["ScheduleState"]["Default"] == "DISABLED"


@pytest.mark.parametrize("fmt", [output_format.value for output_format in OutputFormat])
@pytest.mark.parametrize("state", ["ENABLED", "DISABLED"])
def test_physical_names_are_those_of_naming(fmt: str, state: str) -> None:
    deployed = table(OutputFormat=fmt, ScheduleState=state)
    workflow = naming.workflow("Or-ders.v2", fmt, scheduled=state == "ENABLED")
    expected = {
        "Workflow": workflow,
        "StartTrigger": f"{workflow}-start",
        "CrawlTrigger": f"{workflow}-crawl",
        "ExportJob": f"Or-ders.v2ExportTo{fmt}",
        "Crawler": f"Or-ders.v2{fmt}Crawler",
    }
    if fmt != "xml":
        expected["PublishTrigger"] = f"{workflow}-publish"
        expected["ViewJob"] = f"Or-ders.v2{fmt}CurrentView"
    named = {
        key: resource["Properties"]["Name"]
        for key, resource in deployed.section("Resources").items()
        if "Name" in resource["Properties"]
    }
    assert named == expected
    assert set(named.values()) <= {
        *Export("Or-ders.v2", OutputFormat(fmt)).names().values(),
        *(naming.start_trigger(workflow), naming.crawl_trigger(workflow)),
        naming.publish_trigger(workflow),
    }


def test_the_longest_table_name_is_the_one_for_which_all_names_fit() -> None:
    parameter = TABLE["Parameters"]["TableName"]
    assert parameter["MaxLength"] == naming.table_name_max() < limits.GLUE_NAME_MAX
    for fmt in OutputFormat:
        deployed = table(TableName="T" * parameter["MaxLength"], OutputFormat=fmt.value)
        for resource in deployed.section("Resources").values():
            name = resource["Properties"].get("Name", "")
            assert len(name) <= limits.GLUE_NAME_MAX


def test_the_workflow_carries_the_runs_settings() -> None:
    workflow = table().properties("Workflow")
    assert workflow["MaxConcurrentRuns"] == 1
    assert workflow["DefaultRunProperties"] == {
        name: GIVEN[name] for name in settings.RUN_PROPERTIES
    }


def test_the_export_job_is_as_the_parameters_say() -> None:
    job = table().properties("ExportJob")
    assert job["Command"] == {
        "Name": "glueetl",
        "PythonVersion": "3",
        "ScriptLocation": "s3://dynamodb-exports-123456789012-cn-north-1/scripts/v7/export_table.py",
    }
    assert (job["WorkerType"], job["NumberOfWorkers"]) == ("G.2X", "11")
    assert (job["GlueVersion"], job["MaxRetries"], job["Timeout"]) == ("4.0", "3", "45")
    assert not {"MaxCapacity", "AllocatedCapacity"} & set(job)
    assert job["Role"] == "ExportRole.Arn"
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert job["SecurityConfiguration"] == "the-security-configuration"


def test_the_view_job_is_the_smallest_python_shell() -> None:
    job = table().properties("ViewJob")
    assert job["Command"] == {
        "Name": "pythonshell",
        "PythonVersion": "3.9",
        "ScriptLocation": "s3://dynamodb-exports-123456789012-cn-north-1/scripts/v7/create_current_view.py",
    }
    assert job["MaxCapacity"] == 0.0625
    assert not {"WorkerType", "NumberOfWorkers"} & set(job)
    assert job["Role"] == "ViewRole.Arn"
    assert (job["MaxRetries"], job["Timeout"]) == ("3", "45")


def own_arguments(job: dict[str, Any]) -> dict[str, str]:
    """The job's arguments without those that Glue itself understands."""
    return {
        name: value
        for name, value in job["DefaultArguments"].items()
        if not re.match(r"(--)?[a-z]|--TempDir", name)
    }


@pytest.mark.parametrize("job", ["ExportJob", "ViewJob"])
def test_job_gets_no_argument_without_a_value(job: str) -> None:
    """Glue might pass it as a lone word, and the next word would become its value."""
    given = {"TableName": "T", "CommonStackName": "shared"}
    deployed = Deployed(TABLE, given, {**IMPORTS, "shared-KmsKeyArn": ""})
    arguments = deployed.properties(job)["DefaultArguments"]
    assert "" not in arguments.values()
    empty = {"CatalogPrefix", "Columns", "Exclude", "Where", "SourceRoleArn", "ConnectionName"}
    assert not {f"--{name}" for name in empty} & set(arguments)


@pytest.mark.parametrize(
    ("job", "names"),
    [
        ("ExportJob", settings.EXPORT_JOB_ARGUMENTS),
        ("ViewJob", settings.VIEW_JOB_ARGUMENTS),
    ],
)
def test_a_jobs_arguments_are_its_settings(job: str, names: tuple[str, ...]) -> None:
    imported = {
        "BucketName": "dynamodb-exports-123456789012-cn-north-1",
        "DatabaseName": "dynamodb_exports",
        "WorkGroup": "dynamodb-exports-views",
        "KmsKeyArn": IMPORTS["shared-KmsKeyArn"],
    }
    expected = {f"--{name}": imported.get(name) or GIVEN[name] for name in names}
    assert own_arguments(table().properties(job)) == expected


def refused(**parameters: str) -> list[str]:
    """The messages of the template's rules that the parameters break."""
    stack = table(**{"Columns": "", **parameters})
    return [
        assertion["AssertDescription"]
        for rule in TABLE["Rules"].values()
        if stack.resolve(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not stack.resolve(assertion["Assert"])
    ]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, []),
        ({"Columns": "a"}, ["Columns and Exclude cannot be used together"]),
        ({"Columns": "a", "Exclude": ""}, []),
        (
            {"ReadMode": "export"},
            ["ReadMode export does not work with SourceRoleArn: choose native"],
        ),
        ({"ReadMode": "export", "SourceRoleArn": ""}, []),
        ({"Compression": "zstd"}, []),
        ({"Compression": "zstd", "GlueVersion": "3.0"}, ["zstd needs Glue 4.0"]),
        ({"Compression": "zstd", "OutputFormat": "avro"}, ["zstd needs Glue 4.0"]),
        ({"Compression": "gzip", "OutputFormat": "avro", "GlueVersion": "3.0"}, []),
        ({"GlueVersion": "2.0", "WorkerType": "G.4X"}, ["Glue 2.0 only has workers of type"]),
        ({"GlueVersion": "2.0", "WorkerType": "G.2X"}, []),
        ({"GlueVersion": "3.0", "WorkerType": "G.8X"}, []),
    ],
)
def test_settings_that_exclude_each_other_are_refused(
    parameters: dict[str, str], words: list[str]
) -> None:
    found = refused(**parameters)
    assert len(found) == len(words)
    assert all(text.startswith(word) for text, word in zip(found, words, strict=True))


def test_the_view_job_asks_for_the_libraries_that_hold_boto3() -> None:
    assert table().properties("ViewJob")["DefaultArguments"]["library-set"] == "analytics"


def test_the_export_job_reports_metrics_and_logs_and_keeps_no_bookmarks() -> None:
    arguments = table().properties("ExportJob")["DefaultArguments"]
    bucket = "dynamodb-exports-123456789012-cn-north-1"
    assert arguments["--TempDir"] == f"s3://{bucket}/glue-temp-dir/orc/Or-ders.v2/"
    assert arguments["--enable-metrics"] == "true"
    assert arguments["--enable-continuous-cloudwatch-log"] == "true"
    assert arguments["--job-bookmark-option"] == "job-bookmark-disable"


@pytest.mark.parametrize("version", GlueVersion)
def test_spark_finds_s3_in_the_stacks_own_region(version: GlueVersion) -> None:
    """S3A, s3:// from Glue 5.1 on, starts in us-east-2 unless the job names the region."""
    arguments = table(GlueVersion=version.value).properties("ExportJob")["DefaultArguments"]
    assert arguments["--conf"] == "spark.hadoop.fs.s3a.endpoint.region=cn-north-1"


@pytest.mark.parametrize("job", ["ExportJob", "ViewJob"])
def test_no_argument_is_a_prefix_of_another(job: str) -> None:
    """Glue up to 5.1 takes a prefix for the whole name."""
    given = ("--JOB_NAME", "--JOB_ID", "--JOB_RUN_ID", "--WORKFLOW_NAME", "--WORKFLOW_RUN_ID")
    names = [*table().properties(job)["DefaultArguments"], *given]
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]


def test_the_crawler_is_that_of_the_baseline() -> None:
    crawler = table(ConnectionName="").properties("Crawler")
    assert crawler["DatabaseName"] == "dynamodb_exports"
    assert crawler["TablePrefix"] == "shop_snapshots_"
    assert crawler["Targets"] == {
        "S3Targets": [{"Path": "s3://dynamodb-exports-123456789012-cn-north-1/orc/Or-ders.v2/"}]
    }
    assert crawler["SchemaChangePolicy"] == {
        "UpdateBehavior": "UPDATE_IN_DATABASE",
        "DeleteBehavior": "DELETE_FROM_DATABASE",
    }
    assert crawler["CrawlerSecurityConfiguration"] == "the-security-configuration"
    assert crawler["Role"] == "CrawlerRole.Arn"
    assert "Schedule" not in crawler
    assert "Classifiers" not in crawler


def test_every_path_is_one_table_and_partitions_inherit_its_schema() -> None:
    configuration = json.loads(table().properties("Crawler")["Configuration"])
    output = configuration["CrawlerOutput"]
    assert output["Partitions"] == {"AddOrUpdateBehavior": "InheritFromTable"}
    assert output["Tables"] == {"AddOrUpdateBehavior": "MergeNewColumns"}
    depth = len(["bucket", *naming.data_prefix("T", "orc").rstrip("/").split("/")])
    assert configuration["Grouping"] == {
        "TableGroupingPolicy": "CombineCompatibleSchemas",
        "TableLevelConfiguration": depth,
    }


def test_jobs_and_crawler_run_by_the_connection_if_there_is_one() -> None:
    inside, outside = table(), table(ConnectionName="")
    for job in ("ExportJob", "ViewJob"):
        assert inside.properties(job)["Connections"] == {"Connections": ["inside"]}
        assert "Connections" not in outside.properties(job)
    (target,) = inside.properties("Crawler")["Targets"]["S3Targets"]
    assert target["ConnectionName"] == "inside"
    assert "ConnectionName" not in json.dumps(outside.section("Resources"))


def test_csv_alone_has_a_classifier_with_quotes_and_header() -> None:
    deployed = table(OutputFormat="csv")
    classifier = deployed.properties("CsvClassifier")["CsvClassifier"]
    assert (classifier["Delimiter"], classifier["QuoteSymbol"]) == (",", '"')
    assert classifier["ContainsHeader"] == "PRESENT"
    assert deployed.properties("Crawler")["Classifiers"] == [classifier["Name"]]
    for fmt in set(OutputFormat) - {OutputFormat.CSV}:
        others = table(OutputFormat=fmt.value)
        assert not others.of_type("AWS::Glue::Classifier")
        assert "Classifiers" not in others.properties("Crawler")


@pytest.mark.parametrize(("state", "active"), [("ENABLED", True), ("DISABLED", False)])
def test_the_schedule_is_active_only_if_enabled(state: str, active: bool) -> None:
    start = table(ScheduleState=state).properties("StartTrigger")
    assert (start["Type"], start["StartOnCreation"]) == ("SCHEDULED", active)
    assert start["Schedule"] == "cron(30 4 * * ? *)"


def test_switching_the_schedule_renames_the_workflow_with_all_its_triggers() -> None:
    """A new name is a new resource: Glue activates triggers at their creation only."""

    def names(state: str) -> set[str]:
        deployed = table(ScheduleState=state)
        triggers = deployed.of_type("AWS::Glue::Trigger")
        return {deployed.properties(key)["Name"] for key in (*triggers, "Workflow")}

    assert len(names("ENABLED")) == 4
    assert not names("ENABLED") & names("DISABLED")


def test_conditional_triggers_wait_for_success() -> None:
    deployed = table()
    crawl, publish = deployed.properties("CrawlTrigger"), deployed.properties("PublishTrigger")
    assert crawl["Predicate"]["Conditions"] == [
        {
            "JobName": "Or-ders.v2ExportToorc",
            "State": "SUCCEEDED",
            "LogicalOperator": "EQUALS",
        }
    ]
    assert crawl["Actions"] == [{"CrawlerName": "Or-ders.v2orcCrawler"}]
    assert publish["Predicate"]["Conditions"] == [
        {
            "CrawlerName": "Or-ders.v2orcCrawler",
            "CrawlState": "SUCCEEDED",
            "LogicalOperator": "EQUALS",
        }
    ]
    assert publish["Actions"] == [{"JobName": "Or-ders.v2orcCurrentView"}]
    assert crawl["StartOnCreation"] is publish["StartOnCreation"] is True


def test_triggers_are_created_and_deleted_one_after_the_other() -> None:
    """The last one names the crawl trigger, which may be missing, and so comes after it."""
    resources = TABLE["Resources"]
    assert "DependsOn" not in resources["StartTrigger"]
    assert resources["CrawlTrigger"]["DependsOn"] == "StartTrigger"
    publish = table().properties("PublishTrigger")
    assert "dynoexport-Or-ders.v2-orc-scheduled-crawl" in publish["Description"]


def test_xml_ends_after_the_crawl_and_says_so() -> None:
    deployed = table(OutputFormat="xml", UseKmsKey="true")
    left = set(deployed.section("Resources"))
    assert not left & {"ViewJob", "PublishTrigger", "ViewRole", "ViewRoleUsesKey"}
    assert {"Workflow", "ExportJob", "Crawler", "CrawlTrigger"} <= left
    outputs = deployed.outputs()
    assert "Athena cannot read xml" in outputs["QueryNote"]
    assert not {"View", "ViewJobName"} & set(outputs)


def test_the_outputs_say_where_to_look() -> None:
    outputs = table().outputs()
    bucket = "s3://dynamodb-exports-123456789012-cn-north-1"
    assert outputs["WorkflowName"] == "dynoexport-Or-ders.v2-orc-scheduled"
    assert outputs["DataLocation"] == f"{bucket}/orc/Or-ders.v2/"
    assert outputs["ManifestLocation"] == f"{bucket}/manifests/orc/Or-ders.v2/"
    assert outputs["View"].startswith("dynamodb_exports.shop_<Or-ders.v2 in lower case")
    assert "QueryNote" not in outputs


def test_notifications_are_off_by_default() -> None:
    deployed = Deployed(TABLE, {"TableName": "Or-ders.v2", "CommonStackName": "shared"})
    assert deployed.of_type("AWS::Events::Rule") == []
    assert deployed.of_type("AWS::CloudWatch::Alarm") == []
    assert "TopicArn" not in json.dumps(deployed.section("Resources"))


@pytest.mark.parametrize(
    ("off", "kept"),
    [
        ({"NotifyOnFailure": "false"}, {"JobLateRule", "SnapshotAlarm"}),
        ({"MaxRunMinutes": "0"}, {"JobFailedRule", "CrawlFailedRule", "SnapshotAlarm"}),
        ({"MaxSnapshotAgeHours": "0"}, {"JobFailedRule", "CrawlFailedRule", "JobLateRule"}),
    ],
)
def test_each_alarm_has_its_own_switch(off: dict[str, str], kept: set[str]) -> None:
    deployed = table(**off)
    kinds = ("AWS::Events::Rule", "AWS::CloudWatch::Alarm")
    assert {name for kind in kinds for name in deployed.of_type(kind)} == kept


def test_both_jobs_say_when_they_run_for_longer_than_allowed() -> None:
    """Glue sends no such event unless it is asked to."""
    for job in ("ExportJob", "ViewJob"):
        assert table().properties(job)["NotificationProperty"] == {"NotifyDelayAfter": "33"}
        assert "NotificationProperty" not in table(MaxRunMinutes="0").properties(job)


def test_jobs_that_run_for_too_long_are_notified() -> None:
    """In whatever state they still are; the limit is in the message."""
    rule = table().properties("JobLateRule")
    assert rule["EventPattern"] == {
        "source": ["aws.glue"],
        "detail-type": ["Glue Job Run Status"],
        "detail": {"jobName": ["Or-ders.v2ExportToorc", "Or-ders.v2orcCurrentView"]},
    }
    template = rule["Targets"][0]["InputTransformer"]["InputTemplate"]
    assert '"message": "has run for more than 33 minutes"' in template


def test_the_alarm_looks_back_as_long_as_a_snapshot_may_be_old() -> None:
    """An hour without a datapoint breaches, an hour with any datapoint does not."""
    alarm = table().properties("SnapshotAlarm")
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, "26")
    assert "DatapointsToAlarm" not in alarm
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == (
        "SampleCount",
        "LessThanThreshold",
        1,
    )
    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["AlarmActions"] == alarm["OKActions"] == [IMPORTS["shared-TopicArn"]]
    assert alarm["AlarmName"] == naming.snapshot_alarm("Or-ders.v2", "orc")


def test_the_longest_age_is_as_far_as_an_alarm_looks_back() -> None:
    hours = TABLE["Parameters"]["MaxSnapshotAgeHours"]["MaxValue"]
    assert timedelta(hours=hours) == limits.ALARM_WINDOW_MAX


def test_the_alarm_watches_this_table_and_format() -> None:
    """The names are those of the scripts' metric; a test compares them."""
    alarm = table().properties("SnapshotAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("dynoexport/Or-ders.v2", "Snapshots")
    assert alarm["Dimensions"] == [
        {"Name": "Table", "Value": "Or-ders.v2"},
        {"Name": "Format", "Value": "orc"},
    ]


@pytest.mark.parametrize(("state", "speaks"), [("ENABLED", True), ("DISABLED", False)])
def test_the_alarm_has_no_actions_while_the_schedule_is_off(state: str, speaks: bool) -> None:
    assert table(ScheduleState=state).properties("SnapshotAlarm")["ActionsEnabled"] is speaks


def test_failed_and_timed_out_jobs_of_this_workflow_are_notified() -> None:
    """The states are a job's, in upper case."""
    rule = table().properties("JobFailedRule")
    assert rule["EventPattern"] == {
        "source": ["aws.glue"],
        "detail-type": ["Glue Job State Change"],
        "detail": {
            "jobName": ["Or-ders.v2ExportToorc", "Or-ders.v2orcCurrentView"],
            "state": ["FAILED", "TIMEOUT"],
        },
    }
    assert set(rule["EventPattern"]["detail"]["state"]) <= set(JOB_STATES)
    assert rule["Targets"][0]["Arn"] == IMPORTS["shared-TopicArn"]


def test_failed_crawls_of_this_workflow_are_notified() -> None:
    """The state is a crawl event's, capitalized."""
    rule = table().properties("CrawlFailedRule")
    assert rule["EventPattern"] == {
        "source": ["aws.glue"],
        "detail-type": ["Glue Crawler State Change"],
        "detail": {"crawlerName": ["Or-ders.v2orcCrawler"], "state": ["Failed"]},
    }
    assert rule["Targets"][0]["Arn"] == IMPORTS["shared-TopicArn"]


@pytest.mark.parametrize("rule", ["JobFailedRule", "CrawlFailedRule", "JobLateRule"])
def test_a_notification_stays_json_whatever_the_event_says(rule: str) -> None:
    """EventBridge puts a JSON string for each unquoted ``<value>``."""
    transformer = table().properties(rule)["Targets"][0]["InputTransformer"]
    text = transformer["InputTemplate"]
    for name in transformer["InputPathsMap"]:
        text = text.replace(f"<{name}>", json.dumps(f'the "{name}"'))
    message = json.loads(text)
    assert message["export"] == "Or-ders.v2 as orc"
    assert message["name"] == 'the "name"'
    assert message["message"] in {'the "message"', "has run for more than 33 minutes"}


def test_without_a_key_nothing_refers_to_one() -> None:
    deployed = Deployed(
        TABLE,
        {
            **GIVEN,
            "UseKmsKey": "false",
            "NotifyOnFailure": "false",
            "MaxRunMinutes": "0",
            "MaxSnapshotAgeHours": "0",
        },
        imports={key: value for key, value in IMPORTS.items() if "Name" in key or "Group" in key},
    )
    text = json.dumps(deployed.section("Resources"))
    assert "kms" not in text.lower().replace('"--kmskeyarn": ""', "")
    assert "SecurityConfiguration" not in text


def test_everything_of_an_export_is_tagged_as_its_own() -> None:
    tags = {naming.TAG_TABLE: "Or-ders.v2", naming.TAG_FORMAT: "orc"}
    taggable = ("Workflow", "Trigger", "Job", "Crawler", "Role")
    for key, resource in table().section("Resources").items():
        if resource["Type"].split("::")[2] in taggable:
            own_tags = resource["Properties"]["Tags"]
            if isinstance(own_tags, list):
                own_tags = {tag["Key"]: tag["Value"] for tag in own_tags}
            if key == "ExportJob":
                assert own_tags.items() > tags.items()
            else:
                assert own_tags == tags, key


def test_only_the_tags_of_the_export_job_describe_the_whole_export() -> None:
    """One listing of the account's jobs by tag is enough to find stack, workflow and names."""
    stack = table()
    assert stack.properties("ExportJob")["Tags"] == {
        naming.TAG_TABLE: "Or-ders.v2",
        naming.TAG_FORMAT: "orc",
        naming.TAG_CATALOG_PREFIX: "shop_",
        naming.TAG_STACK: PSEUDO["AWS::StackName"],
        naming.TAG_WORKFLOW: stack.properties("Workflow")["Name"],
    }


@pytest.mark.parametrize(
    "accepted",
    [
        settings.DEFAULT_SCHEDULE,
        "cron(0/5 * * * ? *)",
        "cron(0,30 8-18 ? * MON-FRI *)",
        "cron(15 10 L * ? *)",
        "cron(*/15 * * * ? *)",
    ],
)
def test_the_schedules_pattern_accepts_what_glue_accepts(accepted: str) -> None:
    schedule.check(accepted)
    assert re.search(TABLE["Parameters"]["Schedule"]["AllowedPattern"], accepted)


@pytest.mark.parametrize(
    "refused",
    [
        "",
        "every day",
        "rate(1 day)",
        "cron(0 10 * * ?)",
        "cron(0 10 * * ? * *)",
        "cron(* * * * ? *)",
        "cron(*/2 * * * ? *)",
        "cron(0/4 * * * ? *)",
        "cron(0-10 * * * ? *)",
    ],
)
def test_the_schedules_pattern_refuses_only_what_glue_refuses(refused: str) -> None:
    with pytest.raises(ScheduleRefused):
        schedule.check(refused)
    assert not re.search(TABLE["Parameters"]["Schedule"]["AllowedPattern"], refused)
