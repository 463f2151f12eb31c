"""A manifest's text: the export that it belongs to, and the files that it lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def parse_json_object(text: bytes | None) -> dict[str, Any] | None:
    """The JSON object; None if the text is missing, or is not an object."""
    try:
        content = None if text is None else json.loads(text.decode())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def is_manifest_of(content: Mapping[str, Any], table: str, fmt: str, timestamp: str) -> bool:
    """Whether it is the manifest of this snapshot of this export."""
    identity = {"table": table, "format": fmt, "snapshot_timestamp": timestamp}
    return all(content.get(name) == identity[name] for name in identity)


def is_adopted(found: Mapping[str, Any]) -> bool:
    """Whether it is the manifest of a snapshot that another design wrote."""
    return found.get("adopted") is True


def file_differences(
    files: Iterable[Mapping[str, Any]], present: Mapping[str, tuple[int, str]]
) -> Iterator[str]:
    """Each difference between the objects under a snapshot's prefix and its manifest.

    ``present`` has bytes and ETag by key. Manifests of older versions have no ETag.
    """
    listed = {file["key"]: file for file in files}
    for key, file in listed.items():
        size, etag = present.get(key, (None, None))
        if size is None:
            yield f"{key} is missing"
        elif size != file["bytes"]:
            yield f"{key} has {size:,} bytes, but its manifest says {file['bytes']:,}"
        elif etag != (file.get("etag") or etag):
            yield f"{key} has changed since the export job wrote it"
    for key in present:
        # Athena reads every file that is not hidden:
        # https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
        if key not in listed and not key.rsplit("/", 1)[-1].startswith((".", "_")):
            yield f"{key} is not in the manifest"
