"""Read the files of DynamoDB's own export to S3."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dynoexport.jobs.failures import JobFailed
from dynoexport.jobs.log import log
from dynoexport.jobs.manifest_text import parse_json_object
from dynoexport.jobs.readers.read_result import ReadResult
from dynoexport.jobs.s3 import clear, clear_if_possible, read_object
from dynoexport.jobs.s3_client import s3_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ExportDescriptionTypeDef
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from dynoexport.jobs.clients import Clients
    from dynoexport.jobs.settings import Settings
    from dynoexport.jobs.snapshot_paths import SnapshotPaths


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


EXPORT_SECONDS_BETWEEN = 20
MD5_TEXT = re.compile(r"[0-9a-f]{32}|[A-Za-z0-9+/]{22}==")


def check_recovery(dynamodb: DynamoDBClient, settings: Settings) -> None:
    """Check that DynamoDB can export the table by itself.

    Raises:
        JobFailed: point-in-time recovery is off.
    """
    answer = dynamodb.describe_continuous_backups(TableName=settings.table)
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise JobFailed(
            f"ReadMode export needs point-in-time recovery, which is off for {settings.table}; "
            f"turn it on: aws dynamodb update-continuous-backups --table-name {settings.table} "
            "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
        )


def read_by_export(
    spark: SparkSession,
    settings: Settings,
    clients: Clients,
    paths: SnapshotPaths,
    sleep: Callable[[float], None] = time.sleep,
) -> ReadResult:
    """Have DynamoDB export the table to the temporary prefix, and check its files.

    Raises:
        JobFailed: the export failed, or a file does not match the export's manifest.
    """
    arn = request_export(settings, clients, paths)
    try:
        done = wait_for_export(clients.dynamodb, arn, sleep)
        files = export_files(clients.s3, paths.bucket, done["ExportManifest"])
        check_export_files(spark, files, paths.bucket, clients.s3.meta.region_name)
    except JobFailed:
        # A retry must not use the files of an export that failed.
        clear_if_possible(clients.s3, paths.bucket, paths.temp)
        raise
    billed = done.get("BilledSizeBytes", 0)
    return ReadResult(
        "export",
        billed or len(files),
        pieces=tuple(export_pieces(files, billed)),
        report={"billed_bytes": billed},
    )


def export_pieces(files: Sequence[Mapping[str, Any]], billed: int) -> Iterator[dict[str, Any]]:
    """The files as pieces: key, and about how many bytes of JSON its items are."""
    items = sum(file["items"] for file in files)
    for file in files:
        yield {"key": file["key"], "json_bytes": max(1, billed * file["items"] // items)}


def request_export(settings: Settings, clients: Clients, paths: SnapshotPaths) -> str:
    """The ARN of the run's export. It is billed once: a retry uses the one that exists.

    The note in S3 holds the client token first, then the ARN. If a request
    with the same token follows within eight hours, DynamoDB returns the first export.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    table = clients.dynamodb.describe_table(TableName=settings.table)["Table"]
    request: dict[str, Any] = {
        "TableArn": table["TableArn"],
        "S3Bucket": paths.bucket,
        "S3Prefix": paths.temp.rstrip("/"),
        "ExportFormat": "DYNAMODB_JSON",
        **export_encryption(settings),
    }
    wanted = {"table_id": table.get("TableId", ""), "request": request}
    note = read_export_note(clients.s3, paths)
    if {name: note.get(name) for name in wanted} != wanted:
        clear(clients.s3, paths.bucket, paths.temp)
        note = {**wanted, "token": os.urandom(16).hex()}
        write_export_note(clients.s3, paths, note)
    if "arn" in note:
        log(f"continuing with the export of an earlier attempt: {note['arn']}")
        return str(note["arn"])
    answer = clients.dynamodb.export_table_to_point_in_time(**request, ClientToken=note["token"])
    arn = answer["ExportDescription"]["ExportArn"]
    write_export_note(clients.s3, paths, {**note, "arn": arn})
    log(f"DynamoDB is exporting the table to {paths.uri(paths.temp)}: {arn}")
    return arn


def export_note_key(paths: SnapshotPaths) -> str:
    return f"{paths.temp}export.json"


def read_export_note(s3: S3Client, paths: SnapshotPaths) -> dict[str, Any]:
    """The note of an earlier attempt about its export; empty without one."""
    return parse_json_object(read_object(s3, paths.bucket, export_note_key(paths))) or {}


def write_export_note(s3: S3Client, paths: SnapshotPaths, note: Mapping[str, Any]) -> None:
    body = json.dumps(note).encode()
    s3.put_object(Bucket=paths.bucket, Key=export_note_key(paths), Body=body)


def export_encryption(settings: Settings) -> dict[str, Any]:
    """The bucket's KMS key, if it has one. By default, DynamoDB encrypts with S3's own key.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    if not settings.kms_key:
        return {}
    return {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": settings.kms_key}


def wait_for_export(
    dynamodb: DynamoDBClient, arn: str, sleep: Callable[[float], None]
) -> ExportDescriptionTypeDef:
    """Wait until the export ends; return its description.

    Raises:
        JobFailed: the export failed, with DynamoDB's reason.
    """
    pause = 1.0
    while True:
        export = dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        if export["ExportStatus"] == "COMPLETED":
            return export
        if export["ExportStatus"] == "FAILED":
            reason = export.get("FailureMessage") or export.get("FailureCode") or "no reason given"
            raise JobFailed(f"DynamoDB's export {arn} failed: {reason}")
        sleep(pause)
        pause = min(2 * pause, EXPORT_SECONDS_BETWEEN)


def export_files(s3: S3Client, bucket: str, summary_key: str) -> list[dict[str, Any]]:
    """Key, MD5 and number of items of the data files that have some, from the two manifests.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html

    Raises:
        JobFailed: a manifest does not match its checksum, or they contradict each other.
    """
    try:
        summary = json.loads(read_verified(s3, bucket, summary_key))
        lines = read_verified(s3, bucket, str(summary["manifestFilesS3Key"])).splitlines()
        files = [json.loads(line) for line in lines if line.strip()]
        listed = [
            (int(file["itemCount"]), str(file["dataFileS3Key"]), str(file["md5Checksum"]))
            for file in files
        ]
        stated = int(summary["itemCount"])
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise JobFailed(
            f"s3://{bucket}/{summary_key} or the file list that it names is not a valid manifest "
            f"of an export ({type(error).__name__}): start a new run"
        ) from None
    counted = sum(items for items, _, _ in listed)
    if counted != stated:
        raise JobFailed(
            f"the manifest of DynamoDB's export says {stated:,} items, but its files have "
            f"{counted:,}: start a new run"
        )
    return [{"key": key, "md5": md5, "items": items} for items, key, md5 in listed if items > 0]


def read_verified(s3: S3Client, bucket: str, key: str) -> str:
    """A manifest of the export, compared with the checksum beside it, if one exists.

    Raises:
        JobFailed: it is missing, or does not match its checksum.
    """
    content = read_object(s3, bucket, key)
    if content is None:
        raise JobFailed(f"s3://{bucket}/{key} is missing: start a new run")
    md5 = hashlib.md5(content)  # noqa: S324 - DynamoDB's checksum
    stated = stated_md5(s3, bucket, key)
    if stated is None:
        log(f"s3://{bucket}/{key} has no checksum file: it is read without verification")
    elif stated not in {md5.hexdigest(), base64_text(md5.digest())}:
        raise JobFailed(f"s3://{bucket}/{key} does not match its checksum: start a new run")
    return content.decode()


def stated_md5(s3: S3Client, bucket: str, key: str) -> str | None:
    """The MD5 that the export wrote beside its manifest; None without one.

    AWS writes ``manifest-summary.md5``
    (https://github.com/scylladb/scylladb/blob/master/test/alternator/test_export.py), but its page
    names ``manifest-summary.checksum``
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
    """
    for ending in (".md5", ".checksum"):
        try:
            beside = s3.get_object(Bucket=bucket, Key=key[: -len(".json")] + ending)["Body"].read()
        except ClientError as error:
            # For a missing key, S3 answers AccessDenied to a caller that may not list the bucket.
            if error.response["Error"]["Code"] not in {"NoSuchKey", "AccessDenied"}:
                raise
            continue
        stated = beside.decode(errors="replace").strip()
        if MD5_TEXT.fullmatch(stated):
            return stated
    return None


def check_export_files(
    spark: SparkSession, files: Sequence[Mapping[str, Any]], bucket: str, region: str
) -> None:
    """Compare the data files with the export's manifest.

    Raises:
        JobFailed: one does not match its checksum.
    """
    check = partial(check_export_file, bucket=bucket, region=region)
    wrong = spark.sparkContext.parallelize(files, max(1, len(files))).map(check).filter(bool)
    for complaint in wrong.take(1):
        raise JobFailed(complaint)


def check_export_file(file: Mapping[str, Any], bucket: str, region: str) -> str:
    """What is wrong with a data file; empty if it matches the manifest."""
    key = file["key"]
    body = s3_client(region).get_object(Bucket=bucket, Key=key)["Body"]
    md5 = hashlib.md5()  # noqa: S324 - DynamoDB's checksum
    for chunk in iter(partial(body.read, 1 << 20), b""):
        md5.update(chunk)
    if base64_text(md5.digest()) == file["md5"]:
        return ""
    return (
        f"s3://{bucket}/{key} does not match its checksum in DynamoDB's manifest: start a new run"
    )
