"""Files that tasks upload, and the driver makes visible."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import export_table
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from job_names import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "json/Reviews/snapshot_timestamp=2026-01-31T10:00/"
COLUMN = export_table.Column(
    name="id",
    view="id",
    attribute="id",
    group="",
    type=export_table.Type(export_table.STRING),
    shown=True,
    items=1,
)
PLAN = export_table.FilePlan((COLUMN,), "json", "", BUCKET, "eu-west-1", f"{PREFIX}part-1")
ITEMS = [{"id": {"S": "a"}}, {"id": {"S": "b"}}]


def written(items: Any, number: int = 0) -> list[export_table.UploadedFile]:
    """What a task reports that has written the items."""
    texts = export_table.write_part(number, items, PLAN)
    return [export_table.UploadedFile(**json.loads(text)) for text in texts]


def open_uploads(aws: Any) -> list[str]:
    return [key for key, _ in export_table.list_uploads(aws.s3, BUCKET, PREFIX)]


def test_a_file_is_not_visible_before_the_driver_completes_it(aws: Any, keys: Any) -> None:
    (file,) = written(ITEMS)
    assert keys(PREFIX) == []
    export_table.complete_uploads(aws.s3, BUCKET, [file])
    assert keys(PREFIX) == [file.key] == [f"{PREFIX}part-1-00000.json"]
    assert aws.s3.get_object(Bucket=BUCKET, Key=file.key)["Body"].read() == (
        b'{"id":"a"}\n{"id":"b"}\n'
    )
    assert (file.rows, file.bytes) == (2, 22)
    assert open_uploads(aws) == []


def test_a_lost_task_that_ends_after_the_snapshot_changes_nothing(aws: Any, keys: Any) -> None:
    """Spark has tried it again; Athena would show its items twice."""
    goes_on = iter(ITEMS)

    def slow() -> Iterator[Any]:
        yield next(goes_on)
        (file,) = written(ITEMS)
        export_table.complete_uploads(aws.s3, BUCKET, [file])
        export_table.abort_uploads(aws.s3, BUCKET, PREFIX)
        yield next(goes_on)

    written(slow())
    assert keys(PREFIX) == [f"{PREFIX}part-1-00000.json"]
    content = aws.s3.get_object(Bucket=BUCKET, Key=keys(PREFIX)[0])["Body"].read()
    assert content.count(b"\n") == len(ITEMS)


def test_what_lost_tasks_have_uploaded_is_removed(aws: Any, keys: Any) -> None:
    for number in range(3):
        written(ITEMS, number)
    assert len(open_uploads(aws)) == 3
    export_table.abort_uploads(aws.s3, BUCKET, PREFIX)
    assert (open_uploads(aws), keys(PREFIX)) == ([], [])


def test_a_task_that_fails_leaves_no_upload(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_table, "CHARACTERS_AT_ONCE", 1)

    def broken() -> Iterator[Any]:
        yield ITEMS[0]
        raise ValueError("a page that is damaged")

    with pytest.raises(ValueError, match="damaged"):
        written(broken())
    assert open_uploads(aws) == []


def test_a_task_without_items_makes_no_file(aws: Any) -> None:
    assert written([]) == []
    assert open_uploads(aws) == []


def test_a_large_file_is_uploaded_in_parts(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 refuses a part of less than 5 MiB unless it is the last."""
    monkeypatch.setattr(export_table, "UPLOAD_PART_BYTES", 16 << 20)
    text = "x" * 1_000_000
    (file,) = written({"id": {"S": text}} for _ in range(40))
    assert len(file.parts) == 3
    export_table.complete_uploads(aws.s3, BUCKET, [file])
    body = aws.s3.get_object(Bucket=BUCKET, Key=file.key)["Body"]
    assert body.read() == f'{{"id":"{text}"}}\n'.encode() * 40


# --- an answer that is lost: S3 knows no upload that is complete ----------------------------------
FILE = export_table.UploadedFile(f"{PREFIX}part-1", "u", ({"PartNumber": 1, "ETag": "e"},), 22, 2)


def complete(*listed: dict[str, Any]) -> None:
    s3 = boto3.client("s3")
    with Stubber(s3) as answers:
        answers.add_client_error("complete_multipart_upload", "NoSuchUpload", "", 404)
        answers.add_response("list_objects_v2", {"Contents": list(listed)})
        export_table.complete_uploads(s3, BUCKET, [FILE])


def test_an_upload_whose_answer_was_lost_is_complete(aws_endpoint: str) -> None:
    complete({"Key": FILE.key, "Size": 22, "ETag": "e"})


@pytest.mark.parametrize("listed", [[], [{"Key": f"{FILE.key}0", "Size": 22, "ETag": "e"}]])
def test_an_upload_that_was_removed_cannot_be_completed(
    aws_endpoint: str, listed: list[dict[str, Any]]
) -> None:
    with pytest.raises(ClientError, match="NoSuchUpload"):
        complete(*listed)


class Refusal(io.BytesIO):
    """What S3 answers while it is busy, as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def test_a_part_that_s3_takes_late_is_logged(
    aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """boto3's own client gives up after two more attempts, or after four."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    s3 = export_table.s3_client("eu-west-1")
    busy = iter([b"<Error><Code>SlowDown</Code></Error>"] * 7)

    def refuse(**_: object) -> AWSResponse | None:
        body = next(busy, None)
        return None if body is None else AWSResponse("", 503, {}, Refusal(body))

    s3.meta.events.register_first("before-send.s3.UploadPart", refuse)
    upload = export_table.PartUpload(s3, BUCKET, f"{PREFIX}part-1.json")
    upload.write(b"{}\n")
    upload.finish(1)
    assert f"S3 took part 1 of {PREFIX}part-1.json in attempt 8" in capsys.readouterr().out
    busy = iter([b"<Error><Code>SlowDown</Code></Error>"] * 8)
    upload.write(b"{}\n")
    with pytest.raises(ClientError, match="SlowDown"):
        upload.finish(1)
