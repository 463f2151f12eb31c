"""What the export job makes of its arguments and of the run's properties."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from job_arguments import ARGUMENTS

from dynoexport.cloudformation import selection
from dynoexport.jobs.arguments import apply_overrides, parse_arguments
from dynoexport.jobs.attribute_names import parse_attribute_names
from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.formats import files_for
from dynoexport.jobs.readers.connector import splits_for
from dynoexport.jobs.settings import (
    EXPORT_JOB_ARGUMENTS,
    EXPORT_OVERRIDABLE,
    Settings,
    attribute_filter,
    parse_settings,
)


def argv(**arguments: str) -> list[str]:
    pairs = {**ARGUMENTS, **arguments}.items()
    return [word for name, value in pairs for word in (f"--{name}", value)]


def settings(**properties: str) -> Settings:
    return parse_settings(apply_overrides(ARGUMENTS, properties, EXPORT_OVERRIDABLE))


def test_arguments_that_glue_adds_do_no_harm() -> None:
    words = [*argv(), "--TempDir", "s3://x/", "--enable-metrics", "--job-language", "python"]
    assert parse_arguments(words, EXPORT_JOB_ARGUMENTS) == ARGUMENTS


def test_an_empty_catalog_prefix_may_come_without_a_value_or_not_at_all() -> None:
    words = argv()
    at = words.index("--CatalogPrefix")
    for fewer in (words[:at] + words[at + 2 :], words[: at + 1] + words[at + 2 :]):
        assert parse_arguments(fewer, EXPORT_JOB_ARGUMENTS)["CatalogPrefix"] == ""


def test_an_attribute_may_be_named_like_a_word_of_glue() -> None:
    """Excluded attributes stay excluded."""
    found = parse_arguments(argv(Exclude="--user-id"), EXPORT_JOB_ARGUMENTS)
    assert found["Exclude"] == "--user-id"


def test_a_predicate_may_begin_like_an_option() -> None:
    given = argv(Where="--1 < n", TableName="--job-language")
    found = parse_arguments(given, EXPORT_JOB_ARGUMENTS)
    assert (found["Where"], found["TableName"]) == ("--1 < n", "--job-language")


def test_an_argument_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    words = argv()
    at = words.index("--Splits")
    with pytest.raises(SystemExit):
        parse_arguments(words[:at] + words[at + 2 :], EXPORT_JOB_ARGUMENTS)
    assert "--Splits" in capsys.readouterr().err


def test_a_run_overrides_what_it_may() -> None:
    changed = settings(Splits="7", MaxConsumedReadThroughput="1.5", SnapshotRetentionDays="3")
    assert (changed.splits, changed.read_percent) == (7, 1.5)
    assert (settings().splits, settings().read_percent) == (0, 0.25)


def test_a_run_cannot_change_what_its_job_is_given() -> None:
    assert settings(BucketName="elsewhere", DatabaseName="other").bucket == "exports"


@pytest.mark.parametrize(("name", "value"), [("TableName", "Orders"), ("OutputFormat", "csv")])
def test_a_run_of_another_export_is_refused(name: str, value: str) -> None:
    with pytest.raises(JobFailed, match=f"{name} is '{value}', but this job exports"):
        settings(**{name: value})


def test_a_run_that_names_the_same_table_is_accepted() -> None:
    assert settings(TableName="Reviews", OutputFormat="orc").table == "Reviews"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("MaxConsumedReadThroughput", "0.05", "a number from 0.1 to 1.5"),
        ("MaxConsumedReadThroughput", "1.51", "a number from 0.1 to 1.5"),
        ("MaxConsumedReadThroughput", "nan", "a number from 0.1 to 1.5"),
        ("MaxConsumedReadThroughput", "", "a number from 0.1 to 1.5"),
        ("Splits", "-1", "a whole number from 0 to 1000000"),
        ("Splits", "1000001", "a whole number from 0 to 1000000"),
        ("Splits", "2.5", "a whole number from 0 to 1000000"),
        ("Splits", "many\nmore", "a whole number from 0 to 1000000"),
    ],
)
def test_a_bad_number_is_refused_in_one_line(name: str, value: str, allowed: str) -> None:
    """The line names the setting, its value and what is allowed."""
    with pytest.raises(JobFailed) as refused:
        settings(**{name: value})
    assert str(refused.value) == f"{name} is {value!r}, but must be {allowed}"
    assert "\n" not in str(refused.value)


@given(st.dictionaries(st.sampled_from(sorted(ARGUMENTS)), st.text(max_size=20)))
def test_any_run_property_is_accepted_or_refused_in_one_line(
    properties: dict[str, str],
) -> None:
    try:
        changed = settings(**properties)
    except JobFailed as refused:
        assert len(str(refused).splitlines()) == 1  # noqa: PT017
    else:
        assert 0.1 <= changed.read_percent <= 1.5
        assert 0 <= changed.splits <= 1_000_000


@pytest.mark.parametrize(
    ("worker_type", "workers", "glue_version", "splits"),
    [
        ("G.1X", 10, "2.0", 72),
        ("G.2X", 10, "2.0", 144),
        ("G.1X", 10, "3.0", 36),
        ("G.2X", 11, "4.0", 80),
        ("G.4X", 3, "5.0", 32),
        ("G.8X", 5, "5.1", 128),
        ("G.1X", 2, "6.0", 4),
        ("G.1X", 1, "6.0", 1),
        ("G.8X", 40_000, "6.0", 1_000_000),
    ],
)
def test_splits_are_executors_by_slots(
    worker_type: str, workers: int, glue_version: str, splits: int
) -> None:
    assert splits_for(worker_type, workers, glue_version) == splits


@pytest.mark.parametrize(("worker_type", "glue_version"), [("R.1X", "5.1"), ("G.4X", "2.0")])
def test_a_worker_without_published_slots_needs_splits(worker_type: str, glue_version: str) -> None:
    with pytest.raises(JobFailed, match="set Splits"):
        splits_for(worker_type, 10, glue_version)


@pytest.mark.parametrize(
    ("json_bytes", "fmt", "files"),
    [
        (1, "parquet", 1),
        (128 << 20, "json", 1),
        ((128 << 20) + 1, "json", 2),
        (10 << 30, "json", 80),
    ],
)
def test_files_have_about_128_mb(json_bytes: int, fmt: str, files: int) -> None:
    assert files_for(json_bytes, fmt) == files


# --- what is exported, and how ----------------------------------------------------------------
def given_settings(**arguments: str) -> Settings:
    return parse_settings({**ARGUMENTS, **arguments})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("  ", ()),
        ("User", ("User",)),
        ("User, Book ,Rating", ("User", "Book", "Rating")),
        ('"a,b",c', ("a,b", "c")),
        ('"say ""x""",größe', ('say "x"', "größe")),
        ("User,,", ("User",)),
        ('" Email"', (" Email",)),
        (' " a" , b ,"c "', (" a", "b", "c ")),
        ('a"b"', ('a"b"',)),
        ("User, User", ("User",)),
    ],
)
def test_attributes_are_listed_by_commas(text: str, names: tuple[str, ...]) -> None:
    assert given_settings(Columns=text).columns == names
    assert given_settings(Exclude=text).exclude == names


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1)


@given(st.lists(NAMES, unique=True))
@example([" Email", "a,b", 'say "x"', '"', ",", " "])
def test_every_list_of_attributes_comes_back_from_its_parameter(names: list[str]) -> None:
    parameter = selection.format_names(names)
    assert selection.parse_names(parameter) == tuple(names)
    assert parse_attribute_names({"Columns": parameter}, "Columns") == tuple(names)


@given(st.text(st.sampled_from('", \tab\n')))
def test_the_job_and_the_command_read_a_list_alike(text: str) -> None:
    try:
        expected = selection.parse_names(text)
    except selection.SelectionRefused:
        with pytest.raises(JobFailed):
            parse_attribute_names({"Columns": text}, "Columns")
    else:
        assert parse_attribute_names({"Columns": text}, "Columns") == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ReadMode": "scan"}, "ReadMode is 'scan', but must be one of connector, native, export"),
        ({"TypeConflicts": ""}, "TypeConflicts is '', but must be one of string, columns"),
        ({"MapsAs": "json"}, "MapsAs is 'json', but must be one of struct, map"),
        ({"Compression": "lzo"}, "Compression is 'lzo', but must be one of snappy, zstd, gzip"),
        ({"MaxStructFields": "0"}, "MaxStructFields is '0', but must be a whole number from 1"),
        ({"Columns": "a", "Exclude": "b"}, "Columns and Exclude are both set"),
        ({"Columns": "a\rb"}, "Columns is 'a.rb', which is not a list"),
        ({"Exclude": '"a'}, "Exclude is '\"a', which is not a list"),
        ({"Exclude": '"a"b'}, "Exclude is '\"a\"b', which is not a list"),
        ({"Columns": '""'}, "Columns is '\"\"', which is not a list"),
        ({"Columns": ",,,"}, "Columns is ',,,', which names no attribute: leave it empty"),
        ({"Exclude": " , "}, "Exclude is ' , ', which names no attribute: leave it empty"),
        (
            {"Compression": "zstd", "OutputFormat": "avro"},
            "Glue cannot write avro with Compression zstd",
        ),
        (
            {"ReadMode": "export", "SourceRoleArn": "arn:aws:iam::210987654321:role/reader"},
            "ReadMode export takes no SourceRoleArn: choose native",
        ),
        (
            {"Compression": "zstd", "GlueVersion": "3.0"},
            "zstd needs Glue 4.0 or later, but this job runs on Glue 3.0",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(JobFailed, match=words) as refused:
        given_settings(**arguments)
    assert "\n" not in str(refused.value)


def test_only_glues_connector_refuses_a_read_percentage_below_a_tenth() -> None:
    low = {"MaxConsumedReadThroughput": "0.001"}
    assert given_settings(ReadMode="native", **low).read_percent == 0.001
    with pytest.raises(JobFailed, match=r"but must be a number from 0\.1 to"):
        given_settings(ReadMode="connector", **low)
    with pytest.raises(JobFailed, match=r"but must be a number from 0\.001 to"):
        given_settings(ReadMode="native", MaxConsumedReadThroughput="0")


@pytest.mark.parametrize("value", ["-1 < rating", "-", "--x=1", "a=b", "a b", "--nothing"])
def test_a_value_may_look_like_an_option(value: str) -> None:
    parsed = parse_arguments(argv(Where=value), EXPORT_JOB_ARGUMENTS)
    assert (parsed["Where"], parsed["Splits"]) == (value, "0")


def test_a_table_may_begin_with_dashes() -> None:
    assert parse_arguments(argv(TableName="--a"), EXPORT_JOB_ARGUMENTS)["TableName"] == "--a"


@pytest.mark.parametrize(
    ("columns", "exclude", "kept"),
    [((), (), "ab"), (("a",), (), "a"), ((), ("a",), "b")],
)
def test_attributes_are_selected(
    columns: tuple[str, ...], exclude: tuple[str, ...], kept: str
) -> None:
    selected = attribute_filter(columns, exclude)
    assert "".join(filter(selected, "ab")) == kept
