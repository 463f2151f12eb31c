"""One Java for several Spark jobs, one after the other: it starts once, and its code stays warm.

Each job has a Python process of its own, and a SparkContext of its own in this Java. After a job
whose script has come to its end, also with an error, ``forget`` leaves nothing of it in Java: no
SparkContext, no open file system, no setting and with them no credentials. A Java in which
something of a job remains that cannot be put back serves no other, nor does that of a killed job.
"""

from __future__ import annotations

import shutil
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In the directory of a Java: how to reach it; its settings before the first job; what it writes to
# standard output and standard error; a file that says that it has ended; another that says that the
# script of the last job has come to its end; and the directory in which it and its jobs work.
CONNECTION = "gateway"
PROPERTIES = "properties"
OUTPUT = "output"
ERRORS = "errors"
ENDED = "ended"
DONE = "done"
WORK = "work"
# The variable by which a job's process finds that directory.
DIRECTORY = "DYNOEXPORT_JAVA_DIRECTORY"
# The property with what a job can change in all of Java.
_STATE = "dynoexport.state"
# Seconds in which Java answers.
_PATIENCE = 30
# The share of its heap that a Java may use between two jobs. Objects of a Python process that has
# ended stay: a third of it lets the next job work.
_HEAP_SHARE = 0.33


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
    new = file.with_suffix(".new")
    with _view(directory) as classes:
        classes.java.lang.System.setProperty(_STATE, _state(classes))
        writer = classes.java.io.FileWriter(str(new))
        classes.java.lang.System.getProperties().store(writer, None)
        writer.close()
    new.replace(file)
    return True


def forget(directory: Path) -> bool:
    """Make a Java as it was before its job; false if that cannot be done.

    Raises:
        OSError, Py4JError: it does not answer.
    """
    done = directory / DONE
    # Derby, which Hive's catalog uses, keeps its database open.
    if not done.exists() or (directory / WORK / "metastore_db").exists():
        return False
    with _view(directory) as classes:
        if not _stop(classes) or _state(classes) != classes.java.lang.System.getProperty(_STATE):
            return False
        classes.org.apache.hadoop.fs.FileSystem.closeAll()
        settings = classes.java.util.Properties()
        reader = classes.java.io.FileReader(str(directory / PROPERTIES))
        settings.load(reader)
        reader.close()
        classes.java.lang.System.setProperties(settings)
        if _used_share(classes) > _HEAP_SHARE:
            return False
    for left in (directory / WORK).iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(str(left))
        else:
            left.unlink()
    for file in (OUTPUT, ERRORS):
        (directory / file).write_bytes(b"")
    done.unlink()
    return True


def _stop(classes: Any) -> bool:
    """Stop the job's SparkContext, unless it has tasks that still run: they would go on."""
    # Scala's object of the class has what Spark itself calls.
    # https://github.com/apache/spark/blob/v3.5.1/core/src/main/scala/org/apache/spark/SparkContext.scala
    contexts = getattr(getattr(classes.org.apache.spark, "SparkContext$"), "MODULE$")
    context = contexts.getActive()
    if context.isDefined():
        if len(context.get().statusTracker().getActiveJobIds()):
            return False
        context.get().stop()
    classes.org.apache.spark.sql.SparkSession.clearActiveSession()
    classes.org.apache.spark.sql.SparkSession.clearDefaultSession()
    return True


def _state(classes: Any) -> str:
    """What a job can set for all of Java: levels of the log, time zone and language."""
    log4j = classes.org.apache.logging.log4j
    loggers = log4j.core.LoggerContext.getContext(False).getConfiguration().getLoggers()
    # Spark hides what is below this level until a job sets another one.
    hidden = getattr(getattr(classes.org.apache.spark.internal, "Logging$"), "MODULE$")
    return " ".join(
        [
            *sorted(f"{name}={loggers[name].getLevel().name()}" for name in loggers),
            str(hidden.sparkShellThresholdLevel()),
            classes.java.util.TimeZone.getDefault().getID(),
            classes.java.util.Locale.getDefault().toString(),
        ]
    )


def _used_share(classes: Any) -> float:
    classes.java.lang.System.gc()
    runtime = classes.java.lang.Runtime.getRuntime()
    share: float = (runtime.totalMemory() - runtime.freeMemory()) / runtime.maxMemory()
    return share


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
