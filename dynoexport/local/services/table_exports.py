"""DynamoDB's point-in-time exports, in the layout that AWS writes; moto writes one file only.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html calls the
files of checksums ``.checksum``; on AWS they are ``.md5``:
https://github.com/scylladb/scylladb/blob/master/test/alternator/test_export.py
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import time
import uuid
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb import models
from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.table_export import TableExport
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.dynamodb.responses import DynamoHandler

from dynoexport.local.iam import authorization_middleware, kms
from dynoexport.local.iam.api_actions import Place
from dynoexport.local.iam.authorization import Request

# AWS writes a file for each partition of the table, an empty one for an empty partition.
_FILES = 4


def install() -> None:
    """Make moto's exports look like those of AWS."""
    setattr(models, "TableExport", Export)  # noqa: B010 - moto declares it as final
    DynamoHandler.export_table_to_point_in_time = _export_encrypted  # type: ignore[method-assign]
    DynamoHandler.list_exports = _list  # type: ignore[method-assign]


# The encryption of the export that is being requested; moto drops it from the request.
_encryption: ContextVar[tuple[str, str | None]] = ContextVar("encryption")
_token: ContextVar[str | None] = ContextVar("token")
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
_TOKEN_LASTS = timedelta(hours=8)
_export = DynamoHandler.export_table_to_point_in_time
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListExports.html
_LISTED_MAX = 25


def _export_encrypted(self: DynamoHandler) -> ActionResult:
    """Export with S3's own key, or the named key; the bucket's default is not used.

    A request with the token of an earlier one returns that export. Token and prefix are optional:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    token = self.body.get("ClientToken")
    self.body.setdefault("S3Prefix", None)
    for former in self.dynamodb_backend.table_exports.values():
        if isinstance(former, Export) and former.answers(token):
            return ActionResult({"ExportDescription": former.response()})
    _token.set(token)
    algorithm = self.body.get("S3SseAlgorithm", "AES256")
    _encryption.set((algorithm, self.body.get("S3SseKmsKeyId")))
    return _export(self)


def _list(self: DynamoHandler) -> ActionResult:
    """The exports of a table or of all tables, in pages."""
    wanted = self.body.get("TableArn")
    exports = [
        export
        for export in self.dynamodb_backend.table_exports.values()
        if wanted in {None, export.table.table_arn}
    ]
    arns = [export.arn for export in exports]
    token = self.body.get("NextToken")
    if token is not None and token not in arns:
        raise MockValidationException("Invalid NextToken")
    start = 0 if token is None else arns.index(token) + 1
    end = start + min(int(self.body.get("MaxResults", _LISTED_MAX)), _LISTED_MAX)
    names = {"ExportArn": "arn", "ExportStatus": "status", "ExportType": "export_type"}
    page = [{key: getattr(export, name) for key, name in names.items()} for export in exports]
    answer: dict[str, Any] = {"ExportSummaries": page[start:end]}
    if end < len(page):
        answer["NextToken"] = page[end - 1]["ExportArn"]
    return ActionResult(answer)


class Export(TableExport):
    """An export to ``<prefix>/AWSDynamoDB/<id>/``: manifests, their checksums, and data files."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.daemon = True
        self._algorithm, self._key = _encryption.get()
        self._token = _token.get()
        self._caller = authorization_middleware.current()
        self._id = f"{time.time_ns() // 1_000_000:014d}-{uuid.uuid4().hex[:8]}"
        self.arn = f"{self.table.table_arn}/export/{self._id}"
        self._start = datetime.now(timezone.utc)
        self._end: datetime | None = None
        prefix = (self.s3_prefix or "").strip("/")
        self._root = f"{prefix}/AWSDynamoDB/{self._id}".lstrip("/")

    def answers(self, token: str | None) -> bool:
        """Whether a request with the token asks for this export."""
        is_recent = datetime.now(timezone.utc) - self._start < _TOKEN_LASTS
        return token is not None and token == self._token and is_recent

    def _backup_to_s3_file(self, s3_backend: Any) -> None:
        place = Place(self.account_id, self.region_name)
        uses = [kms.use("kms:GenerateDataKey", self._key, place, "s3")] if self._key else []

        def put(name: str, content: bytes) -> None:
            key = f"{self._root}/{name}"
            resource = f"arn:aws:s3:::{self.s3_bucket}/{key}"
            # DynamoDB writes with the permissions of the caller.
            authorization_middleware.authorize(
                self._caller, [Request("s3:PutObject", resource), *uses]
            )
            s3_backend.put_object(
                bucket_name=self.s3_bucket,
                key_name=key,
                value=content,
                encryption="aws:kms" if self._algorithm == "KMS" else self._algorithm,
                kms_key_id=self._key,
            )

        def put_manifest(name: str, content: str) -> None:
            put(f"{name}.json", content.encode())
            put(f"{name}.md5", _md5(content.encode()).encode())

        put("_started", b"")
        files = [self._put_data(put, lines) for lines in self._partitions()]
        put_manifest("manifest-files", "\n".join(map(json.dumps, files)) + "\n")
        self._end = datetime.now(timezone.utc)
        put_manifest("manifest-summary", json.dumps(self._summary()))
        self.status = "COMPLETED"

    def _partitions(self) -> list[list[str]]:
        """The items as lines, by the hash of their keys; the last partition is empty."""
        partitions: list[list[str]] = [[] for _ in range(_FILES)]
        for item in self.table.all_items():
            line = dynamo_json_dump(item.to_json(root_attr_name="Item"))
            key = f"{item.hash_key}".encode()
            place = int.from_bytes(hashlib.sha256(key).digest()[:4], "big") % (_FILES - 1)
            partitions[place].append(line)
            self.item_count += 1
            self.processed_bytes += item.size()
        return partitions

    def _put_data(self, put: Any, lines: list[str]) -> dict[str, Any]:
        content = gzip.compress("".join(f"{line}\n" for line in lines).encode())
        name = f"data/{uuid.uuid4().hex[:28]}.json.gz"
        put(name, content)
        return {
            "itemCount": len(lines),
            "md5Checksum": _md5(content),
            "etag": hashlib.md5(content).hexdigest(),  # noqa: S324 - S3's own
            "dataFileS3Key": f"{self._root}/{name}",
        }

    def _summary(self) -> dict[str, Any]:
        return {
            "version": "2023-08-01",
            "exportArn": self.arn,
            "startTime": _iso(self._start),
            "endTime": _iso(self._end or self._start),
            "tableArn": self.table.table_arn,
            "tableId": str(uuid.uuid5(uuid.NAMESPACE_URL, self.table.table_arn)),
            "exportTime": _iso(self._start),
            "s3Bucket": self.s3_bucket,
            "s3Prefix": self.s3_prefix,
            "s3SseAlgorithm": self._algorithm,
            "s3SseKmsKeyId": self._key,
            "manifestFilesS3Key": f"{self._root}/manifest-files.json",
            "billedSizeBytes": self.processed_bytes,
            "itemCount": self.item_count,
            "outputFormat": self.export_format,
            "exportType": self.export_type,
        }

    def response(self) -> dict[str, Any]:
        """The ExportDescription."""
        description = {**super().response(), "StartTime": self._start, "ExportTime": self._start}
        description |= {"S3SseAlgorithm": self._algorithm, "S3SseKmsKeyId": self._key}
        if self._end is not None:
            description["EndTime"] = self._end
            description["ExportManifest"] = f"{self._root}/manifest-summary.json"
        return {key: value for key, value in description.items() if value is not None}


def _md5(content: bytes) -> str:
    digest = hashlib.md5(content).digest()  # noqa: S324 - what AWS states
    return base64.b64encode(digest).decode()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
