"""What is exported: the table, the format of its files, and the names in the catalog."""

from __future__ import annotations

from troposphere import Equals, Not, Ref

from dynoexport import limits, naming, settings
from dynoexport.cloudformation import form
from dynoexport.cloudformation.options.option import Option, has_value
from dynoexport.model import OutputFormat

GROUP = "Table and format"
IS_QUERYABLE = "IsQueryable"
IS_NOT_QUERYABLE = "IsNotQueryable"
IS_CSV = "IsCsv"

_IS_XML = Equals(Ref(settings.OUTPUT_FORMAT), OutputFormat.XML.value)

OPTION = Option(
    group=GROUP,
    fields=(
        form.text(
            settings.TABLE_NAME,
            "DynamoDB table",
            "Name of the DynamoDB table, in this region.",
            pattern=r"^[a-zA-Z0-9_.-]+$",
            constraint=f"must have {limits.DYNAMODB_TABLE_NAME_MIN} to {naming.table_name_max()} "
            "letters, digits, '_', '.' or '-'",
            shortest=limits.DYNAMODB_TABLE_NAME_MIN,
            longest=naming.table_name_max(),
        ),
        form.choice(
            settings.OUTPUT_FORMAT,
            "File format",
            "Format of the files in S3. Athena reads all formats except xml.",
            choices=OutputFormat,
            default=settings.DEFAULT_FORMAT,
        ),
        form.text(
            settings.CATALOG_PREFIX,
            "Prefix of the catalog names",
            "Prefix of the table and view names in the Glue database. Needed only if two exports "
            "would get the same names: a table in two formats, or tables that differ only in case "
            "or in '.', '-' and '_'.",
            pattern=f"^{naming.CATALOG_PREFIX_PATTERN}$",
            constraint=f"must be empty, or at most {naming.CATALOG_PREFIX_MAX} of a-z, 0-9 and "
            "'_', beginning with a letter or '_'",
            default="",
            longest=naming.CATALOG_PREFIX_MAX,
        ),
    ),
    conditions={
        IS_QUERYABLE: Not(_IS_XML),
        IS_NOT_QUERYABLE: _IS_XML,
        IS_CSV: Equals(Ref(settings.OUTPUT_FORMAT), OutputFormat.CSV.value),
        **has_value(settings.CATALOG_PREFIX),
    },
)
