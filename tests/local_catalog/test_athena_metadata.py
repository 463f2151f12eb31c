"""Athena on the endpoint: its API for catalogs, databases, tables, and what clients ask besides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from catalog_lake import BUCKET, DATABASE, GROUP, parquet

if TYPE_CHECKING:
    from catalog_lake import Lake

pytestmark = pytest.mark.endpoint

CATALOG = "AwsDataCatalog"
NAMES = {"CatalogName": CATALOG, "DatabaseName": DATABASE}


@pytest.fixture(scope="module")
def calls(lake: Lake) -> str:
    """A crawled table, and a view of it."""
    lake.snapshot("parquet/Calls", "2026-11-22T10:00", parquet({"n": 1, "who": "Ada"}))
    assert lake.crawl("parquet/Calls")["Status"] == "SUCCEEDED"
    lake.run("CREATE OR REPLACE VIEW calls_view AS SELECT n FROM snapshots_calls")
    return "snapshots_calls"


def refusal(call: Any, **parameters: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error: dict[str, str] = dict(caught.value.response["Error"])
    return error


def test_the_catalog_is_that_of_glue(lake: Lake) -> None:
    listed = lake.athena.list_data_catalogs()["DataCatalogsSummary"]
    assert listed == [{"CatalogName": CATALOG, "Type": "GLUE"}]
    catalog = lake.athena.get_data_catalog(Name=CATALOG)["DataCatalog"]
    assert catalog["Parameters"] == {"catalog-id": "123456789012"}
    assert refusal(lake.athena.get_data_catalog, Name="other")["Code"] == "InvalidRequestException"
    made = refusal(lake.athena.create_data_catalog, Name="other", Type="GLUE")
    assert "not on the local endpoint: CreateDataCatalog" in made["Message"]


def test_databases_are_those_of_glue(lake: Lake, calls: str) -> None:
    names = [
        each["Name"] for each in lake.athena.list_databases(CatalogName=CATALOG)["DatabaseList"]
    ]
    glue = [database["Name"] for database in lake.glue.get_databases()["DatabaseList"]]
    assert names == glue
    assert DATABASE in names
    assert lake.athena.get_database(**NAMES)["Database"]["Name"] == DATABASE


def test_metadata_of_a_table_has_columns_keys_and_storage(lake: Lake, calls: str) -> None:
    found = lake.athena.get_table_metadata(**NAMES, TableName=calls)["TableMetadata"]
    assert (found["Name"], found["TableType"]) == (calls, "EXTERNAL_TABLE")
    assert found["Columns"] == [{"Name": "n", "Type": "bigint"}, {"Name": "who", "Type": "string"}]
    assert found["PartitionKeys"] == [{"Name": "snapshot_timestamp", "Type": "string"}]
    parameters = found["Parameters"]
    assert parameters["location"].startswith(f"s3://{BUCKET}/parquet/Calls")
    assert parameters["serde.serialization.lib"].endswith("ParquetHiveSerDe")
    assert parameters["serde.param.serialization.format"] == "1"
    assert parameters["inputformat"].endswith("MapredParquetInputFormat")


def test_tables_are_listed_in_pages(lake: Lake, calls: str) -> None:
    def listed(**given: Any) -> Any:
        return lake.athena.list_table_metadata(
            **NAMES, Expression="(?:snapshots_calls|calls_view)", **given
        )

    first = listed(MaxResults=1)
    second = listed(MaxResults=1, NextToken=first["NextToken"])
    pages = [first, second]
    found = {one["Name"]: one["TableType"] for page in pages for one in page["TableMetadataList"]}
    assert found == {calls: "EXTERNAL_TABLE", "calls_view": "VIRTUAL_VIEW"}
    assert "NextToken" not in second
    for wrong in ({"NextToken": "x"}, {"Expression": "("}):
        error = refusal(lake.athena.list_table_metadata, **NAMES, **wrong)
        assert error["Code"] == "InvalidRequestException"


def test_what_is_missing_is_an_error_of_the_catalog(lake: Lake) -> None:
    """PyAthena, for one, reads the code in the message."""
    for call, names in (
        (lake.athena.get_table_metadata, {**NAMES, "TableName": "thin_air"}),
        (lake.athena.get_database, {**NAMES, "DatabaseName": "thin_air"}),
        (lake.athena.list_table_metadata, {**NAMES, "DatabaseName": "thin_air"}),
    ):
        error = refusal(call, **names)
        assert error["Code"] == "MetadataException"
        assert "Status Code: 400; Error Code: EntityNotFoundException; Req" in error["Message"]


def test_definition_of_a_view_is_shown_line_by_line(lake: Lake, calls: str) -> None:
    lake.run("CREATE OR REPLACE VIEW calls_lines AS SELECT n\nFROM snapshots_calls")
    assert lake.rows("SHOW CREATE VIEW calls_lines") == [
        [f"CREATE VIEW {DATABASE}.calls_lines AS"],
        ["SELECT n"],
        ["FROM snapshots_calls"],
    ]
    assert "is not a view" in lake.reason(f"SHOW CREATE VIEW {calls}")


@pytest.mark.parametrize(
    ("sql", "end", "text"),
    [
        ("SHOW TABLES 'calls_v*'", ".txt", "calls_view\n"),
        ("-- all\nDESCRIBE calls_view", ".txt", "n\tbigint\t\n"),
        ("SELECT n FROM calls_view", ".csv", '"n"\n"1"\n'),
    ],
)
def test_file_of_a_result_is_text_for_ddl(
    lake: Lake, calls: str, sql: str, end: str, text: str
) -> None:
    found = lake.ended(lake.run(sql))["ResultConfiguration"]["OutputLocation"]
    assert found.endswith(end)
    key = urlsplit(found).path.lstrip("/")
    assert lake.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() == text


def test_database_of_a_statement_can_be_quoted(lake: Lake, calls: str) -> None:
    started = lake.athena.start_query_execution(
        QueryString=f"DESCRIBE `{calls}`;",
        QueryExecutionContext={"Database": f"`{DATABASE}`"},
        WorkGroup=GROUP,
    )
    assert lake.ended(started["QueryExecutionId"])["Status"]["State"] == "SUCCEEDED"


def test_what_only_moto_would_answer_is_refused_by_name(lake: Lake) -> None:
    query_id = lake.run("SELECT 1 AS n")
    lake.ended(query_id)
    for call, given in (
        ("GetQueryRuntimeStatistics", {"QueryExecutionId": query_id}),
        ("BatchGetQueryExecution", {"QueryExecutionIds": [query_id]}),
    ):
        error = refusal(getattr(lake.athena, xform_name(call)), **given)
        assert error["Code"] == "NotImplementedException"
        assert call in error["Message"] or xform_name(call) in error["Message"]


def test_prepared_statement_that_is_not_there_is_named(lake: Lake) -> None:
    named = {"StatementName": "no_such", "WorkGroup": GROUP}
    for call in (lake.athena.get_prepared_statement, lake.athena.delete_prepared_statement):
        error = refusal(call, **named)
        assert error["Code"] == "ResourceNotFoundException"
        assert "no_such" in error["Message"]


def test_prepared_statement_runs_by_its_quoted_name_and_is_deleted(lake: Lake) -> None:
    named = {"StatementName": "by_name", "WorkGroup": GROUP}
    lake.athena.create_prepared_statement(**named, QueryStatement="SELECT ? AS a")
    assert lake.rows('EXECUTE "by_name" USING 7') == [["a"], ["7"]]
    lake.athena.delete_prepared_statement(**named)
    assert "by_name" in lake.reason("EXECUTE by_name USING 7")
