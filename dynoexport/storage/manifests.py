"""Manifests: the record of a complete snapshot and its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from dynoexport import naming
from dynoexport.errors import DynoexportError, one_line
from dynoexport.jobs.manifest_text import file_differences, is_adopted, is_manifest_of
from dynoexport.units import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client


class ManifestBroken(DynoexportError):
    """An object in a manifest's place that is not a manifest."""


@dataclass(frozen=True)
class File:
    """A part file: its key in the bucket, its size in bytes, and the ETag of its content.

    Older manifests have no ETag.
    """

    key: str
    bytes: int
    etag: str = ""


@dataclass(frozen=True)
class Column:
    """A column of the snapshot's files: its name and catalog type, the attribute behind it.

    ``view`` is its name in the view, which it has if it is ``shown``: an attribute whose type has
    changed has several columns; the view shows one of them.
    """

    name: str
    type: str
    attribute: str
    view: str
    shown: bool = True


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the table was read; what a reader does not record is None (docs/manifests.md).

    Attributes:
        items: how many were read; a predicate exports fewer.
        rate: read units a second that were allowed.
        hottest: read units and seconds of the segment with the most.
        losses: the kinds of values that the connector may have changed, by attribute, in a sample.
        doubles: how many numbers of an attribute arrived as doubles.
    """

    reader: str = ""
    items: int | None = None
    splits: int | None = None
    resumed_splits: int = 0
    read_percent: float | None = None
    capacity: float | None = None
    rate: float | None = None
    seconds: float | None = None
    units: float | None = None
    throttles: int = 0
    hottest: tuple[float, float] | None = None
    losses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    doubles: Mapping[str, int] = field(default_factory=dict)

    def loss_notes(self) -> tuple[str, ...]:
        """What the connector may have changed, a line for each attribute."""
        notes = []
        for name in sorted({*self.losses, *self.doubles}):
            kinds = list(self.losses.get(name, ()))
            if name in self.doubles:
                kinds.append(f"{count(self.doubles[name], 'number')} arrived as doubles")
            notes.append(f"{one_line(name)}: {', '.join(kinds)}")
        return tuple(notes)


@dataclass(frozen=True)
class Manifest:
    """What the export job wrote. ``items`` and ``bytes`` are sums over all files.

    Attributes:
        described: DescribeTable's answer when the job began; empty in older manifests.
        seconds: of each step of the job, by its name.
        narrowed: whether a selection or a predicate left something out.
        adopted: whether another design wrote the files, and ``adopt`` the manifest.
    """

    table: str
    format: str
    timestamp: str
    items: int
    bytes: int
    files: tuple[File, ...]
    workflow_run_id: str
    columns: tuple[Column, ...] = ()
    engine: str = "spark"
    glue_version: str = ""
    scripts_version: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    reading: Reading = field(default_factory=Reading)
    described: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    worker_type: str = ""
    number_of_workers: int = 0
    narrowed: bool = False
    adopted: bool = False


def parse(text: str | bytes, *, where: str) -> Manifest:
    """The manifest; ``where`` names it in an error.

    Raises:
        ManifestBroken: it is not JSON, or lacks what every manifest has.
    """
    try:
        content: Mapping[str, Any] = json.loads(text)
        return Manifest(
            table=content["table"],
            format=content["format"],
            timestamp=content["snapshot_timestamp"],
            items=int(content["items"]),
            bytes=int(content["bytes"]),
            files=tuple(map(_file, content["files"])),
            workflow_run_id=content["workflow_run_id"],
            columns=tuple(map(_column, content.get("schema", ()))),
            engine=content.get("engine", "spark"),
            glue_version=content.get("glue_version", ""),
            scripts_version=content.get("scripts_version", ""),
            started=_moment(content.get("started")),
            finished=_moment(content.get("finished")),
            reading=_reading(content.get("read", {})),
            described=dict(content.get("described", {})),
            seconds=dict(content.get("seconds", {})),
            worker_type=content.get("worker_type", ""),
            number_of_workers=int(content.get("number_of_workers", 0)),
            narrowed=any(content.get("selection", {}).values()),
            adopted=is_adopted(content),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ManifestBroken(
            f"{where} is not a manifest ({type(error).__name__}: {error})",
            hint="delete it; its snapshot then becomes incomplete",
        ) from error


def _file(content: Mapping[str, Any]) -> File:
    return File(content["key"], int(content["bytes"]), content.get("etag", ""))


def _column(content: Mapping[str, Any]) -> Column:
    return Column(
        name=content["name"],
        type=content["type"],
        attribute=content["attribute"],
        view=content["view"],
        shown=bool(content["shown"]),
    )


def _reading(content: Mapping[str, Any]) -> Reading:
    hottest = next(iter(content.get("skew", {}).get("hottest", ())), None)
    return Reading(
        reader=content.get("reader", ""),
        items=content.get("items"),
        splits=content.get("splits"),
        resumed_splits=content.get("resumed_splits", 0),
        read_percent=content.get("read_percent"),
        capacity=content.get("capacity"),
        rate=content.get("rate"),
        seconds=content.get("seconds"),
        units=content.get("units"),
        throttles=content.get("throttles", 0),
        hottest=None if hottest is None else (hottest["units"], hottest["seconds"]),
        losses={name: tuple(map(str, kinds)) for name, kinds in content.get("losses", {}).items()},
        doubles={name: int(number) for name, number in content.get("doubles", {}).items()},
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def read(s3: S3Client, bucket: str, table: str, fmt: str, timestamp: str) -> Manifest | None:
    """The snapshot's manifest, None if it has none.

    Raises:
        ManifestBroken: the object is not a manifest, or is another snapshot's.
    """
    key = naming.manifest_key(table, fmt, timestamp)
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return parse_own(body, bucket, table, fmt, timestamp)


def parse_own(body: bytes, bucket: str, table: str, fmt: str, timestamp: str) -> Manifest:
    """The manifest of this snapshot, from its text.

    Raises:
        ManifestBroken: it is not a manifest, or is another snapshot's.
    """
    where = f"s3://{bucket}/{naming.manifest_key(table, fmt, timestamp)}"
    manifest = parse(body, where=where)
    if not is_manifest_of(json.loads(body), table, fmt, timestamp):
        raise ManifestBroken(
            f"{where} is the manifest of {manifest.table} ({manifest.format}), snapshot "
            f"{manifest.timestamp}",
            hint="delete it, or put it back where it belongs",
        )
    return manifest


def differences(manifest: Manifest, present: Mapping[str, tuple[int, str]]) -> list[str]:
    """How the objects under the snapshot's prefix (bytes and ETag by key) differ from it."""
    return list(file_differences(map(asdict, manifest.files), present))
