"""Part files as Glue's own writers left them in the design of 2019."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

OLD = "2019-11-23T10:00"
# In another order than that of their names, and one attribute that no item has any more.
OLD_ROW = {"rating": 4, "review": "Brave", "size": 7, "id": "old", "author": "Rowling"}


def columnar(module: Any) -> bytes:
    out = io.BytesIO()
    module.write_table(pa.Table.from_pylist([OLD_ROW]), out)
    return out.getvalue()


def old_file(fmt: str) -> bytes:
    """One part file as Glue's own writers leave it."""
    if fmt == "csv":
        header = ",".join(name.title() for name in OLD_ROW)
        return f"{header}\n4,Brave,7,old,Rowling\n".encode()
    if fmt == "json":
        return json.dumps({name.title(): value for name, value in OLD_ROW.items()}).encode()
    if fmt == "avro":
        fields = [
            {"name": name, "type": "long" if isinstance(value, int) else "string"}
            for name, value in OLD_ROW.items()
        ]
        out = io.BytesIO()
        fastavro.writer(out, {"type": "record", "name": "root", "fields": fields}, [OLD_ROW])
        return out.getvalue()
    if fmt == "xml":
        values = "".join(f"<{name}>{value}</{name}>" for name, value in OLD_ROW.items())
        return f"<root><record>{values}</record></root>".encode()
    return columnar(pa.orc if fmt == "orc" else pa.parquet)
