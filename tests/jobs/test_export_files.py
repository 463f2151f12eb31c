"""The files of DynamoDB's export, in batches: whole, selected, and as single items give them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from dynoexport.jobs.readers import export_files
from dynoexport.jobs.readers.items import parse_lines
from dynoexport.jobs.scan import decode
from dynoexport.jobs.scan.buffer import dynamodb_items
from dynoexport.jobs.schema.arrow_profile import profile_batches
from dynoexport.jobs.schema.profile import profile_items
from dynoexport.jobs.settings import attribute_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUCKET, REGION = "exports", "eu-west-1"
ITEMS: list[dict[str, Any]] = [
    {"id": {"S": "1"}, "n": {"N": "1.5"}, "Email": {"S": "a@example.org"}},
    {"id": {"S": "2\u2028\n"}, "m": {"M": {"x": {"BOOL": True}}}, "at": {"S": "2026-01-01"}},
    {"id": {"S": "3"}, "Email": {"NULL": True}, "at": {"S": "later"}},
    {"id": {"S": "4"}, "l": {"L": []}},
]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """A function that puts files of such texts, and returns the group of their pieces."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        s3 = boto3.client("s3", REGION)
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

        def put_files(*texts: str) -> list[str]:
            keys = [f"{number}.json.gz" for number in range(len(texts))]
            for key, text in zip(keys, texts, strict=True):
                s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(text.encode()))
            return [json.dumps([{"key": key} for key in keys])]

        yield put_files


def lines_of(items: list[dict[str, Any]]) -> str:
    """As AWS writes them: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html."""
    return "".join(
        json.dumps({"Item": item}, ensure_ascii=False, separators=(",", ":")) + "\n"
        for item in items
    )


def batches(
    groups: list[str], *, exclude: tuple[str, ...] = (), columns: tuple[str, ...] = ()
) -> Any:
    selected = attribute_filter(columns, exclude)
    return list(export_files.export_batches(groups, BUCKET, REGION, selected, exclude))


def items_of(found: Any) -> list[dict[str, Any]]:
    return [item for batch in found for item in dynamodb_items(batch)]


@pytest.mark.parametrize("size", [1, 100, 1_000_000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_every_item_comes_once_wherever_a_batch_ends(
    put: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, size: int, end: str
) -> None:
    monkeypatch.setattr(export_files, "BATCH_BYTES", size)
    text = lines_of(ITEMS).rstrip("\n") + end
    found = batches(put(text, lines_of(ITEMS[:1])))
    assert items_of(found) == [*ITEMS, ITEMS[0]]
    assert len(found) == {1: 5, 100: 3}.get(size, 2)
    assert not any(isinstance(batch, list) for batch in found)


@pytest.mark.parametrize("is_wide", [False, True])
def test_an_excluded_attribute_only_says_that_it_is_there(
    put: Callable[..., list[str]], *, is_wide: bool
) -> None:
    """As items that are read one by one, also where Arrow does not hold them."""
    wide = [{"id": {"S": "w"}, **{f"a{n}": {"N": "1"} for n in range(1_001)}}] if is_wide else []
    text = lines_of([*ITEMS, *wide])
    found = batches(put(text), exclude=("Email", "at", "rare"))
    assert isinstance(found[0], list) == is_wide
    selected = attribute_filter((), ("Email", "at", "rare"))
    single = list(parse_lines(text.split("\n")[:-1], "export", selected, ("Email", "at", "rare")))
    assert items_of(found) == single
    assert "example.org" not in str(items_of(found))
    assert dict(profile_batches(found, 200)) == dict(profile_items(single, 200))


def narrow(first: int) -> list[dict[str, Any]]:
    return [{"id": {"S": str(number)}, "e": {"L": []}} for number in range(first, first + 40)]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize(
    "wide",
    [
        {"m": {"M": {f"key-{number}": {"S": "x"} for number in range(30)}}},
        {f"attribute-{number}": {"N": "1"} for number in range(30)},
    ],
)
def test_a_wide_item_among_many_makes_no_room_in_each(
    put: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, before: int, wide: Any
) -> None:
    """Its batch stays single items; those before and after it are arrays."""
    monkeypatch.setattr(decode, "PLACES", 1_000)
    files = [narrow(0)] * before + [[*narrow(0), {"id": {"S": "w"}, **wide}], narrow(40)]
    found = batches(put(*map(lines_of, files)))
    kinds = [isinstance(batch, list) for batch in found]
    assert kinds == [False] * before + [True, False]
    assert items_of(found) == [item for file in files for item in file]


def test_many_attributes_that_came_one_after_the_other_stay_single_items(
    put: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch alone is narrow, but Arrow would have all of them in each item."""
    monkeypatch.setattr(decode, "PLACES", 1_000)
    files = [[*narrow(0), {"id": {"S": "w"}, f"a{number}": {"N": "1"}}] for number in range(30)]
    found = batches(put(*map(lines_of, files)))
    assert not isinstance(found[0], list)
    assert isinstance(found[-1], list)
    assert items_of(found) == [item for file in files for item in file]


def test_the_selected_attributes_alone_are_there(put: Callable[..., list[str]]) -> None:
    found = items_of(batches(put(lines_of(ITEMS)), columns=("id", "n")))
    assert found[:2] == [{"id": {"S": "1"}, "n": {"N": "1.5"}}, {"id": ITEMS[1]["id"]}]


def test_items_without_a_selected_attribute_are_counted(put: Callable[..., list[str]]) -> None:
    assert items_of(batches(put(lines_of(ITEMS)), columns=("rare",))) == [{}] * len(ITEMS)


@pytest.mark.parametrize(
    "line", ['{"Keys":{}}\n', '{"item":{"id":{"S":"5"}}}\n', "no json\n", "7\n"]
)
def test_a_line_that_is_no_item_is_no_empty_row(put: Callable[..., list[str]], line: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        batches(put(lines_of(ITEMS) + line))
