"""The catalog as AWS Glue's crawler leaves it, which the endpoint's crawler does not do in full.

What real crawlers write, from answers of GetTables and GetPartitions in other projects' tests and
AWS's pages:
https://github.com/datahub-project/datahub/blob/master/metadata-ingestion/tests/unit/glue/test_glue_source_stubs.py
https://docs.aws.amazon.com/glue/latest/dg/table-properties-crawler.html
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import fastavro
from lake import BUCKET, DATABASE, Table

from dynoexport import naming

TABLE_INPUT = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
PARTITION_INPUT = ("Values", "Parameters", "StorageDescriptor")
OF_CRAWLER = {
    "CrawlerSchemaDeserializerVersion": "1.0",
    "CrawlerSchemaSerializerVersion": "1.0",
    "UPDATED_BY_CRAWLER": "crawler",
    "averageRecordSize": "16",
    "partition_filtering.enabled": "true",
    "recordCount": "2",
}
OF_CSV = {"areColumnsQuoted": "false", "columnsOrdered": "true", "delimiter": ","}


@dataclass
class CrawledTable(Table):
    """A table whose crawls leave what a real crawler leaves.

    The Avro schema of the first crawl stays as it is, in the table and in each partition: columns
    that are added later are not in it (trinodb/trino#30599).
    """

    literal: str = ""

    def crawl(self) -> None:
        super().crawl()
        glue = self.lake.glue
        name = naming.snapshots_table(self.name, f"{self.format}_")
        where: dict[str, Any] = {"DatabaseName": DATABASE}
        described = glue.get_table(Name=name, **where)["Table"]
        if self.format == "avro" and not self.literal:
            self.literal = self._avro_schema()
        table = {key: described[key] for key in TABLE_INPUT}
        table["Parameters"] = {**table["Parameters"], **self._parameters()}
        table["StorageDescriptor"] = self._storage(described["StorageDescriptor"])
        glue.update_table(TableInput=table, **where)
        for partition in glue.get_partitions(TableName=name, **where)["Partitions"]:
            stated = {key: partition[key] for key in PARTITION_INPUT if key in partition}
            stated["StorageDescriptor"] = self._storage(partition["StorageDescriptor"])
            glue.update_partition(
                TableName=name,
                PartitionValueList=partition["Values"],
                PartitionInput=stated,
                **where,
            )

    def _parameters(self) -> dict[str, str]:
        own = {
            "avro": {"avro.schema.literal": self.literal},
            "csv": OF_CSV,
            "json": {"compressionType": "gzip"},
        }
        return {**OF_CRAWLER, **own.get(self.format, {})}

    def _storage(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        serde = descriptor["SerdeInfo"]
        names = ",".join(sorted(column["Name"] for column in descriptor["Columns"]))
        own = {"avro": {"avro.schema.literal": self.literal}, "json": {"paths": names}}
        parameters = {**serde["Parameters"], **own.get(self.format, {})}
        return {
            **descriptor,
            "Parameters": {**descriptor.get("Parameters", {}), **self._parameters()},
            "SerdeInfo": {**serde, "Parameters": parameters},
        }

    def _avro_schema(self) -> str:
        prefix = naming.data_prefix(self.name, self.format)
        key = next(iter(self.lake.keys(prefix)))
        body = self.lake.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return json.dumps(fastavro.reader(io.BytesIO(body)).writer_schema)
