"""The formats of part files: what they hold, their compressions, their size."""

from __future__ import annotations

import math

FORMATS = ("avro", "csv", "json", "orc", "parquet", "xml")
# Formats that hold text only. Spark's csv writer cannot quote a backslash, its json writer has no
# exact numbers, and its xml writer came with 4.0.
TEXT_FORMATS = ("csv", "xml")
# The job writes these line by line. Spark and Glue write the others.
LINE_FORMATS = ("csv", "json", "xml")
COLUMNAR_FORMATS = ("orc", "parquet")
# What the formats call each compression. Parquet's and ORC's zstd came with Spark 3.2 and 3.3
# (https://issues.apache.org/jira/browse/SPARK-33978, https://issues.apache.org/jira/browse/SPARK-34503);
# Glue writes avro with snappy and deflate
# (https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-avro-home.html).
CODECS: dict[str, dict[str, str]] = {
    "snappy": {},
    "zstd": {},
    "gzip": {"avro": "deflate", "orc": "zlib"},
}
PART_BYTES = 128 * 1024 * 1024
# Bytes of a format for each byte of the temporary JSON lines, measured on 200,000 orders of ten
# values and a nested list. They only decide the size of the part files.
BYTES_PER_JSON_BYTE = {
    "avro": 0.6,
    "csv": 0.85,
    "json": 1.0,
    "orc": 0.4,
    "parquet": 0.45,
    "xml": 1.2,
}
# Measured on the demo's reviews and on orders of ten values and a nested list: 1.5 and 1.6 bytes of
# DynamoDB JSON, which names the type of every value, for each byte of plain JSON.
DYNAMODB_JSON = 1.5


def files_for(json_bytes: float, fmt: str) -> int:
    """How many part files of about 128 MB the JSON lines become in the format."""
    return max(1, math.ceil(json_bytes * BYTES_PER_JSON_BYTE[fmt] / PART_BYTES))
