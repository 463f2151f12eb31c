"""Read tables in one Spark, by the connector's own code base and by our stand-in for Glue's.

Runs with the Python and the libraries of a Glue version.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from awsglue.context import GlueContext
from pyspark import SparkContext

PACKAGE = "org.apache.hadoop.dynamodb"
# Its splits state a length of 0, and Spark leaves out what is empty.
SPARK = {"spark.hadoopRDD.ignoreEmptySplits": "false"}
# Without YARN these are -1, and the code base divides by what it makes of them.
WITHOUT_YARN = {"mapreduce.map.memory.mb": "1024", "mapreduce.reduce.memory.mb": "1024"}


def job_conf(spark: SparkContext, order: dict[str, Any]) -> Any:
    """The code base's settings; ``order["settings"]`` are those that differ by order."""
    settings = {
        **WITHOUT_YARN,
        "dynamodb.endpoint": os.environ["AWS_ENDPOINT_URL_DYNAMODB"],
        "dynamodb.regionid": os.environ["AWS_REGION"],
        "dynamodb.awsAccessKeyId": os.environ["AWS_ACCESS_KEY_ID"],
        "dynamodb.awsSecretAccessKey": os.environ["AWS_SECRET_ACCESS_KEY"],
        "dynamodb.input.tableName": order["table"],
        **order["settings"],
    }
    conf = spark._jvm.org.apache.hadoop.mapred.JobConf()  # type: ignore[union-attr]  # noqa: SLF001
    for name, value in settings.items():
        conf.set(name, value)
    return conf


def items(spark: SparkContext, order: dict[str, Any]) -> None:
    """The code base's items as JSON, which ``DynamoDBItemWritable.toString`` makes of them.

    Not by PySpark's ``hadoopRDD``: it would make beans of them, for which it reads buffers empty.
    """
    jvm: Any = spark._jvm  # noqa: SLF001 - as above
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    names = (
        f"{PACKAGE}.read.DynamoDBInputFormat",
        "org.apache.hadoop.io.Text",
        f"{PACKAGE}.DynamoDBItemWritable",
    )
    classes = [jvm.java.lang.Class.forName(name, True, loader) for name in names]
    java: Any = spark._jsc  # noqa: SLF001 - as above
    read = java.hadoopRDD(job_conf(spark, order), *classes, 1)
    read.values().saveAsTextFile(f"file://{order['path']}")


def records(spark: SparkContext, order: dict[str, Any]) -> None:
    """The stand-in's records as JSON, as the export job has them written."""
    frame = GlueContext(spark).create_dynamic_frame.from_options(
        connection_type="dynamodb",
        connection_options={"dynamodb.input.tableName": order["table"], **order["settings"]},
    )
    frame.json_lines().saveAsTextFile(f"file://{order['path']}")


def rate(spark: SparkContext, order: dict[str, Any]) -> None:
    """Read units a second that the code base allows a task with one of ``order["segments"]``."""
    jvm: Any = spark._jvm  # noqa: SLF001 - as above
    conf = job_conf(spark, order)
    client = jvm.org.apache.hadoop.dynamodb.DynamoDBClient(conf)
    jobs = jvm.org.apache.hadoop.mapred.JobClient(conf)
    calculator = jvm.org.apache.hadoop.dynamodb.read.ReadIopsCalculator(
        jobs, client, order["table"], order["segments"], 1
    )
    Path(order["path"]).write_text(str(calculator.calculateTargetIops()))


TASKS = {"items": items, "records": records, "rate": rate}


def main(orders: list[dict[str, Any]]) -> None:
    for name, value in SPARK.items():
        SparkContext.setSystemProperty(name, value)
    spark = SparkContext.getOrCreate()
    spark.setLogLevel("ERROR")
    for order in orders:
        TASKS[order["task"]](spark, order)
    spark.stop()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
