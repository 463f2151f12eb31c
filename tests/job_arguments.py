"""Arguments of the export job as Glue gives them, by name."""

from __future__ import annotations

ARGUMENTS = {
    "TableName": "Reviews",
    "OutputFormat": "orc",
    "BucketName": "exports",
    "DatabaseName": "dynamodb_exports",
    "CatalogPrefix": "",
    "ScriptsVersion": "v7",
    "MaxConsumedReadThroughput": "0.25",
    "Splits": "0",
    "Engine": "spark",
    "WorkerType": "G.2X",
    "NumberOfWorkers": "11",
    "GlueVersion": "5.1",
    "ReadMode": "connector",
    "Columns": "",
    "Exclude": "",
    "Where": "",
    "TypeConflicts": "string",
    "MapsAs": "struct",
    "MaxStructFields": "200",
    "Compression": "snappy",
    "SourceRoleArn": "",
    "KmsKeyArn": "",
    "JOB_NAME": "ReviewsExportToorc",
    "JOB_RUN_ID": "jr_1",
    "WORKFLOW_NAME": "dynoexport-Reviews-orc",
    "WORKFLOW_RUN_ID": "wr_1",
}
