"""Avro files: https://avro.apache.org/docs/1.11.1/specification/#object-container-files."""

from __future__ import annotations

import base64
import itertools
import json
import os
import struct
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynoexport.jobs.arrow_library import arrow
from dynoexport.jobs.avro_schema import avro_field
from dynoexport.jobs.schema.columns import column_entry
from dynoexport.jobs.schema.dynamodb_json import list_elements
from dynoexport.jobs.schema.numbers import parse_whole_number
from dynoexport.jobs.schema.types import (
    ARRAY,
    BIGINT,
    BINARY,
    BOOLEAN,
    DECIMAL,
    DOUBLE,
    MAP,
    STRUCT,
)
from dynoexport.jobs.schema.values import string_map, text_value
from dynoexport.jobs.write.rows import row_converter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dynoexport.jobs.schema.columns import Column
    from dynoexport.jobs.schema.types import Type
    from dynoexport.jobs.write.upload import PartUpload

# Bytes before compression that become one block.
AVRO_BLOCK_BYTES = 256 * 1024
MAGIC = b"Obj\x01"
# The place of each type in the union of it and null.
NULL, VALUE = b"\x00", b"\x02"


def encode_long(number: int) -> bytes:
    """A number, zig-zag coded in groups of seven bits, the lowest first."""
    rest = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def encode_bytes(content: bytes) -> bytes:
    return encode_long(len(content)) + content


def encode_text(text: str) -> bytes:
    return encode_bytes(text.encode())


def encode_decimal(number: Decimal, scale: int) -> bytes:
    """The digits without their point as a signed number, the highest byte first."""
    # In whole numbers: Python's decimals would round to 28 digits.
    sign, digits, exponent = number.as_tuple()
    shift = int(exponent) + scale
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    # What lies behind the scale are zeros: the scale is that of the attribute's longest number.
    unscaled = unscaled * 10**shift if shift >= 0 else unscaled // 10**-shift
    return encode_bytes(unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True))


def encode_map(value: Mapping[str, Any]) -> bytes:
    texts = string_map(value)
    held = (
        encode_text(name) + (NULL if text is None else VALUE + encode_text(text))
        for name, text in texts.items()
    )
    return (encode_long(len(texts)) + b"".join(held) if texts else b"") + NULL


AVRO_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    BIGINT: lambda value: encode_long(parse_whole_number(value["N"])),
    DOUBLE: lambda value: struct.pack("<d", float(value["D"] if "D" in value else value["N"])),
    BOOLEAN: lambda value: b"\x01" if value["BOOL"] else b"\x00",
    BINARY: lambda value: encode_bytes(base64.b64decode(value["B"])),
    MAP: encode_map,
}


def avro_encoder(kind: Type) -> Callable[[Any], bytes]:
    """What encodes a value in DynamoDB JSON, or None, as the union of null and the type."""
    encode = value_encoder(kind)
    return lambda value: NULL if value is None or "NULL" in value else VALUE + encode(value)


def value_encoder(kind: Type) -> Callable[[Any], bytes]:
    if kind.kind == DECIMAL:
        return lambda value: encode_decimal(Decimal(value["N"]), kind.scale)
    if kind.kind == ARRAY:
        element = avro_encoder(kind.elements)
        return lambda value: encode_array(list(map(element, list_elements(value))))
    if kind.kind == STRUCT:
        fields = [(field.attribute, avro_encoder(field.type)) for field in kind.fields]
        return lambda value: b"".join(encode(value["M"].get(name)) for name, encode in fields)
    return AVRO_ENCODERS.get(kind.kind, lambda value: encode_text(text_value(value) or ""))


def encode_array(elements: Sequence[bytes]) -> bytes:
    """One block of elements, and the empty one that ends an array."""
    return (encode_long(len(elements)) + b"".join(elements) if elements else b"") + NULL


def avro_schema_text(columns: Sequence[Column]) -> str:
    """The schema of a file; every value may be null."""
    numbers = itertools.count()
    entries = [column_entry(column, "avro") for column in columns]
    fields = [
        avro_field(entry["name"], entry.get("shape", entry["type"]), numbers) for entry in entries
    ]
    return json.dumps({"type": "record", "name": "item", "fields": fields})


def compress_block(content: bytes, codec: str) -> bytes:
    """A block as the codec has it: deflate without zlib's header, snappy with a checksum."""
    if codec == "deflate":
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return compressor.compress(content) + compressor.flush()
    packed: bytes = arrow().compress(content, codec="snappy", asbytes=True)
    return packed + struct.pack(">I", zlib.crc32(content))


class AvroFile:
    """An avro file; nothing is uploaded before there is a row."""

    def __init__(
        self, columns: Sequence[Column], codec: str, open_file: Callable[[], PartUpload]
    ) -> None:
        self._columns, self._codec, self._open_file = columns, codec, open_file
        self._apart = row_converter(columns)
        self._encoders = [avro_encoder(column.type) for column in columns]
        self._file: PartUpload | None = None
        self._sync = os.urandom(16)
        self._rows: list[bytes] = []
        self._bytes = 0
        self.rows = 0

    def write(self, item: Mapping[str, Any]) -> None:
        values = self._apart(item)
        row = b"".join(encode(value) for encode, value in zip(self._encoders, values))
        self._rows.append(row)
        self._bytes += len(row)
        self.rows += 1
        if self._bytes >= AVRO_BLOCK_BYTES:
            self._write_block()

    def close(self) -> None:
        if self._rows:
            self._write_block()

    def _write_block(self) -> None:
        if self._file is None:
            self._file = self._open_file()
            self._file.write(self._header())
        content = compress_block(b"".join(self._rows), self._codec)
        self._file.write(encode_long(len(self._rows)) + encode_bytes(content) + self._sync)
        self._rows, self._bytes = [], 0

    def _header(self) -> bytes:
        metadata = {"avro.schema": avro_schema_text(self._columns), "avro.codec": self._codec}
        pairs = b"".join(encode_text(name) + encode_text(text) for name, text in metadata.items())
        return MAGIC + encode_long(len(metadata)) + pairs + NULL + self._sync
