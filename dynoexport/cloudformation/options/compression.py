"""How the files are compressed."""

from __future__ import annotations

from dynoexport import limits, settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options import reader
from dynoexport.cloudformation.options.option import Option, Rule, is_none_of, is_one_of
from dynoexport.model import Compression

OPTION = Option(
    group=reader.GROUP,
    fields=(
        form.choice(
            settings.COMPRESSION,
            "Compression",
            "Compression of avro, orc and parquet; csv, json and xml are not compressed. zstd "
            "needs Glue 4.0 or later and does not work with avro.",
            choices=Compression,
            default=settings.DEFAULT_COMPRESSION,
        ),
    ),
    rules=(
        Rule(
            name="ZstdWhereGlueHasIt",
            when=is_one_of(settings.COMPRESSION, Compression.ZSTD.value),
            must=(
                is_none_of(settings.GLUE_VERSION, *limits.GLUE_VERSIONS_WITHOUT_ZSTD),
                is_none_of(settings.OUTPUT_FORMAT, *limits.FORMATS_WITHOUT_ZSTD),
            ),
            reason="zstd needs Glue 4.0 or later and does not work with avro",
            remedy="choose snappy or gzip",
            hint="choose --compression snappy or gzip",
        ),
    ),
)
