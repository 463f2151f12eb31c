"""The checksums of S3 that neither Python nor moto computes: CRC32C and CRC64NVME.

moto answers CRC32 for them, unless libraries are there that nothing else here needs.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import functools

from moto.s3 import models, responses, utils

# Bits, and the polynomial with its bits reversed:
# https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-32-iscsi
# https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme
_CRCS = {"CRC32C": (32, 0x82F63B78), "CRC64NVME": (64, 0x9A6C9329AC4BC9B5)}
# Bytes of a checksum by algorithm.
LENGTHS = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32}

_compute = utils.compute_checksum


def install() -> None:
    """Make moto's S3 compute them. Call it before the first request."""
    for module in (models, responses):
        module.compute_checksum = compute  # type: ignore[attr-defined]


def compute(body: bytes, algorithm: str, encode_base64: bool = True) -> bytes:
    """The checksum, in base64 unless its bytes are asked for."""
    if algorithm not in _CRCS:
        return _compute(body, algorithm, encode_base64)
    digest = _crc(body, *_CRCS[algorithm])
    return base64.b64encode(digest) if encode_base64 else digest


def _crc(body: bytes, bits: int, polynomial: int) -> bytes:
    table, ones = _table(polynomial), (1 << bits) - 1
    value = ones
    for byte in body:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return (value ^ ones).to_bytes(bits // 8, "big")


@functools.cache
def _table(polynomial: int) -> list[int]:
    table = list(range(256))
    for place, value in enumerate(table):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)  # noqa: PLW2901
        table[place] = value
    return table
