"""A bucket as the tree of files that Spark sees."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ResponseStreamingError

from dynoexport.local.runtime import s3_gateway
from dynoexport.local.runtime.s3_gateway import BucketFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

BUCKET = "gateway-files"
PARTITION = "json/Reviews/snapshot_timestamp=2026-11-23T10:00"
PART = f"{PARTITION}/part-0.json"


@pytest.fixture
def s3(endpoint: Endpoint) -> Iterator[Any]:
    """S3 with a bucket of three objects, two of them below one another."""
    client = endpoint.client("s3")
    client.create_bucket(Bucket=BUCKET)
    for key, body in ((PART, b"0123456789"), ("json/top.txt", b"top"), ("json/Re/x", b"x")):
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield client
    for key in keys(client):
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def files(s3: Any) -> BucketFiles:
    return BucketFiles(s3, BUCKET)


def keys(s3: Any) -> set[str]:
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())}


def kind(files: BucketFiles, key: str) -> str | None:
    status = files.status(key)
    return status and status["type"]


def test_a_key_is_a_file_and_its_prefix_a_directory(files: BucketFiles) -> None:
    """A part of a name is neither of them."""
    assert kind(files, PART) == "FILE"
    assert [kind(files, key) for key in ("", "json", PARTITION)] == ["DIRECTORY"] * 3
    assert kind(files, "json/Rev") is None


def test_a_file_has_its_length_and_time(files: BucketFiles, s3: Any) -> None:
    """The time in milliseconds."""
    modified = s3.head_object(Bucket=BUCKET, Key=PART)["LastModified"]
    status = files.status(PART)
    assert status is not None
    assert (status["length"], status["modificationTime"]) == (10, modified.timestamp() * 1000)


def test_children_are_what_lies_directly_below(files: BucketFiles) -> None:
    """Files and directories by name, nothing deeper."""
    found = {name: status["type"] for name, status in files.children("json").items()}
    assert found == {"Reviews": "DIRECTORY", "Re": "DIRECTORY", "top.txt": "FILE"}
    assert list(files.children("")) == ["json"]


def test_a_file_lists_itself_and_a_missing_directory_lists_nothing(files: BucketFiles) -> None:
    """Hadoop lists a file as itself, without a name."""
    assert {name: status["length"] for name, status in files.children(PART).items()} == {"": 10}
    assert files.children("nowhere") == {}


def test_a_directory_exists_while_it_is_still_empty(files: BucketFiles, s3: Any) -> None:
    """The gateway remembers it; S3 has no key for it."""
    before = keys(s3)
    files.make_directory("json/new/_temporary")
    assert kind(files, "json/new") == kind(files, "json/new/_temporary") == "DIRECTORY"
    assert "new" in files.children("json")
    assert keys(s3) == before
    assert files.delete("json/new")
    assert kind(files, "json/new") is None


def test_a_colon_in_a_key_stays_as_written(files: BucketFiles) -> None:
    """A snapshot's partition is named by its time."""
    assert list(files.children("json/Reviews")) == ["snapshot_timestamp=2026-11-23T10:00"]


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, None, b"0123456789"), (4, None, b"456789"), (4, 3, b"456"), (8, 100, b"89")],
)
def test_a_range_of_a_file_is_read(
    files: BucketFiles, offset: int, length: int | None, expected: bytes
) -> None:
    """To the file's end, whatever was asked beyond it."""
    size, chunks = files.read(PART, offset, length)
    assert (b"".join(chunks), size) == (expected, len(expected))


def test_renaming_a_file_moves_its_bytes(files: BucketFiles, s3: Any) -> None:
    """The old key is gone."""
    assert files.rename("json/top.txt", "json/moved.txt")
    assert keys(s3) == {PART, "json/Re/x", "json/moved.txt"}
    assert s3.get_object(Bucket=BUCKET, Key="json/moved.txt")["Body"].read() == b"top"


def test_renaming_a_directory_moves_all_below_it_alone(files: BucketFiles, s3: Any) -> None:
    """A neighbour whose name begins alike stays."""
    assert files.rename("json/Re", "other/Re")
    assert keys(s3) == {PART, "json/top.txt", "other/Re/x"}


def test_renaming_onto_a_directory_moves_into_it(files: BucketFiles, s3: Any) -> None:
    """As Hadoop's rename does."""
    assert files.rename("json/top.txt", "json/Re")
    assert keys(s3) == {PART, "json/Re/x", "json/Re/top.txt"}


def test_renaming_a_missing_file_returns_false(files: BucketFiles) -> None:
    """It raises no error."""
    assert files.rename("nowhere", "elsewhere") is False


def test_deleting_a_directory_deletes_all_below_it_alone(files: BucketFiles, s3: Any) -> None:
    """More than one batch of 1,000 keys, and no neighbour."""
    for number in range(1001):
        s3.put_object(Bucket=BUCKET, Key=f"json/Re/{number}", Body=b"")
    assert files.delete("json/Re")
    assert keys(s3) == {PART, "json/top.txt"}
    assert files.delete("json/Re") is False


def request(url: str, method: str = "GET", body: bytes | None = None) -> bytes:
    answer = urlopen(Request(url, method=method, data=body), timeout=10)
    with answer:
        content: bytes = answer.read()
    return content


@pytest.fixture
def root(s3: Any) -> str:
    return f"http://127.0.0.1:{s3_gateway.serve(s3, BUCKET)}/webhdfs/v1"


def test_webhdfs_lists_and_reads(root: str) -> None:
    """The protocol of Hadoop's own client, keys escaped."""
    listed = json.loads(request(f"{root}/{quote(PARTITION)}?op=LISTSTATUS"))
    (status,) = listed["FileStatuses"]["FileStatus"]
    assert (status["pathSuffix"], status["length"]) == ("part-0.json", 10)
    assert request(f"{root}/{quote(PART)}?op=OPEN&offset=2&length=3") == b"234"
    assert request(f"{root}/{quote(PART)}?op=OPEN&offset=10") == b""


def test_webhdfs_writes_under_the_very_key(root: str, s3: Any) -> None:
    """The second step of a creation, as after the redirect."""
    request(f"{root}/{quote(PARTITION)}/new?op=CREATE&data=true", "PUT", b"fresh")
    found = s3.get_object(Bucket=BUCKET, Key=f"{PARTITION}/new")
    assert found["Body"].read() == b"fresh"


def test_webhdfs_reports_a_missing_file(root: str) -> None:
    """404 with the exception that Hadoop's client raises."""
    with pytest.raises(HTTPError) as caught:
        request(f"{root}/nowhere?op=GETFILESTATUS")
    with caught.value as answer:
        said = json.loads(answer.read())["RemoteException"]
    assert (answer.code, said["exception"]) == (404, "FileNotFoundException")


def test_webhdfs_refuses_an_unknown_operation_by_name(root: str) -> None:
    """The error names the operation."""
    with pytest.raises(HTTPError) as caught:
        request(f"{root}/json?op=GETXATTRS")
    with caught.value as answer:
        said = json.loads(answer.read())["RemoteException"]
    assert (said["exception"], said["message"]) == ("UnsupportedOperationException", "GETXATTRS")


@pytest.mark.parametrize(
    "sent",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_webhdfs_refuses_web_pages(root: str, s3: Any, sent: dict[str, str]) -> None:
    """Its port needs no credentials, because it uses those of the job."""
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(f"{root}/json/top.txt?op=DELETE", headers=sent, method="DELETE"))
    with caught.value as answer:
        said = json.loads(answer.read())["RemoteException"]
    assert said["message"] == "the gateway answers its own job only"
    assert "json/top.txt" in keys(s3)


@pytest.mark.parametrize("asked", ["op=DELETE", "op=CREATE&data=true", "op=RENAME&destination=/x"])
def test_webhdfs_changes_nothing_by_get(root: str, s3: Any, asked: str) -> None:
    """A page loads its images with GET, and without an origin."""
    before = keys(s3)
    with pytest.raises(HTTPError) as caught:
        urlopen(f"{root}/json/top.txt?{asked}")
    with caught.value as answer:
        said = json.loads(answer.read())["RemoteException"]
    assert said["exception"] == "UnsupportedOperationException"
    assert keys(s3) == before


def test_full_disk_is_reported(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The response contains the reason: from a closed connection Java learns nothing."""
    port = s3_gateway.serve(s3, BUCKET)
    monkeypatch.setattr(s3_gateway.tempfile, "tempdir", "/nowhere/at/all")
    address = f"http://127.0.0.1:{port}/webhdfs/v1/new.txt?op=CREATE&data=true"
    with pytest.raises(HTTPError) as failed:
        urlopen(Request(address, data=b"text", method="PUT"))
    with failed.value as answer:
        error = json.loads(answer.read())["RemoteException"]
    assert error["exception"] == "IOException"
    assert "No such file" in error["message"]


def test_a_broken_stream_is_continued(files: BucketFiles, s3: Any) -> None:
    class Breaks:
        """S3 whose streams break after the fourth byte."""

        def __init__(self) -> None:
            self.asked: list[str] = []

        def get_object(self, **wanted: Any) -> dict[str, Any]:
            self.asked.append(wanted["Range"])
            answer = s3.get_object(**wanted)
            return {**answer, "Body": self if len(self.asked) == 1 else answer["Body"]}

        def iter_chunks(self, _: int) -> Iterator[bytes]:
            yield b"0123"
            raise ResponseStreamingError(error="broken")

    breaks = Breaks()
    size, chunks = BucketFiles(breaks, BUCKET).read(PART, 0, 10)
    assert (size, b"".join(chunks)) == (10, b"0123456789")
    assert breaks.asked == ["bytes=0-9", "bytes=4-9"]
