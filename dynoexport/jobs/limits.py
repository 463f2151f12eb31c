"""Limits of AWS that the jobs keep, each with its source. ``dynoexport.limits`` has the others."""

from __future__ import annotations

# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
DYNAMODB_SPLITS_MAX = 1_000_000
DYNAMODB_READ_PERCENT_MIN, DYNAMODB_READ_PERCENT_MAX = 0.1, 1.5
# The other readers go down to what the template allows.
NATIVE_READ_PERCENT_MIN = 0.001

# An eventually consistent read uses half a unit for each 4 KB, and a page of a Scan is rounded up:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
DYNAMODB_READ_UNIT_BYTES = 8_192
# Read units a second for one table, unless the account's quota L-CF0CBE56 has another value:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
DYNAMODB_TABLE_READ_UNITS = 40_000

# A query's text, and the text of a view in the catalog:
# https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
# https://docs.aws.amazon.com/glue/latest/webapi/API_TableInput.html
ATHENA_QUERY_MAX = 262_144
VIEW_TEXT_MAX = 409_600

# Task slots of an executor, "dynamodb.splits" in
# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-connect-dynamodb-home.html
# (for Glue 2.0 its edition of 2021).
GLUE_SLOTS = {"G.1X": 4, "G.2X": 8, "G.4X": 16, "G.8X": 32}
GLUE_2_SLOTS = {"G.1X": 8, "G.2X": 16}

# ORC's and Parquet's zstd came with Spark 3.2 and 3.3: https://issues.apache.org/jira/browse/SPARK-33978
GLUE_VERSIONS_WITHOUT_ZSTD = ("2.0", "3.0")
