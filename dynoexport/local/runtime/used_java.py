"""One Java for several Spark jobs, one after the other: it starts once, and its code stays warm.

Each job has a Python process of its own, and a SparkContext of its own in this Java. After a job,
``forget`` leaves nothing of it in Java: no SparkContext, no open file system, no setting and with
them no credentials.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In the directory of a Java: how to reach it; its settings before the first job; its log; and a
# file that says that it has ended.
CONNECTION = "gateway"
PROPERTIES = "properties"
LOG = "log"
ENDED = "ended"
# The variable by which a job's process finds that directory.
DIRECTORY = "DYNOEXPORT_JAVA_DIRECTORY"
# The property with the level of Spark's log, which a job may set.
_LEVEL = "dynoexport.log.level"
# Seconds in which Java answers, also when it stops a SparkContext with tasks that still run.
_PATIENCE = 30


def address(directory: Path) -> tuple[int, str]:
    """The port and the secret of a Java that has started.

    https://github.com/apache/spark/blob/v3.5.1/core/src/main/scala/org/apache/spark/api/python/PythonGatewayServer.scala
    """
    connection = (directory / CONNECTION).read_bytes()
    port, length = struct.unpack_from(">ii", connection)
    return port, connection[-length:].decode()


def remember(directory: Path) -> bool:
    """Write down the settings of a new Java; false if it has had a job."""
    file = directory / PROPERTIES
    if file.exists():
        return False
    with _view(directory) as classes:
        classes.java.lang.System.setProperty(_LEVEL, _log_level(classes))
        writer = classes.java.io.FileWriter(str(file))
        classes.java.lang.System.getProperties().store(writer, None)
        writer.close()
    return True


def forget(directory: Path) -> bool:
    """Make a Java as it was before its job, whose Python process has ended.

    False if the job has set the level of the log: how the log was before cannot be set.

    Raises:
        OSError, Py4JError: it does not answer, or could not stop what the job has left.
    """
    with _view(directory) as classes:
        if _log_level(classes) != classes.java.lang.System.getProperty(_LEVEL):
            return False
        # Scala's object of the class has what Spark itself calls.
        # https://github.com/apache/spark/blob/v3.5.1/core/src/main/scala/org/apache/spark/SparkContext.scala
        contexts = getattr(getattr(classes.org.apache.spark, "SparkContext$"), "MODULE$")
        context = contexts.getActive()
        if context.isDefined():
            context.get().stop()
        classes.org.apache.spark.sql.SparkSession.clearActiveSession()
        classes.org.apache.spark.sql.SparkSession.clearDefaultSession()
        classes.org.apache.hadoop.fs.FileSystem.closeAll()
        settings = classes.java.util.Properties()
        reader = classes.java.io.FileReader(str(directory / PROPERTIES))
        settings.load(reader)
        reader.close()
        classes.java.lang.System.setProperties(settings)
    return True


def _log_level(classes: Any) -> str:
    level: str = classes.org.apache.logging.log4j.LogManager.getRootLogger().getLevel().name()
    return level


@contextmanager
def _view(directory: Path) -> Iterator[Any]:
    """All of a Java's classes."""
    from py4j.java_gateway import GatewayParameters, JavaGateway

    port, secret = address(directory)
    parameters = GatewayParameters(port=port, auth_token=secret, read_timeout=_PATIENCE)
    gateway = JavaGateway(gateway_parameters=parameters)
    try:
        yield gateway.jvm
    finally:
        gateway.close()
