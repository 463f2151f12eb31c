"""Jobs in one warm Spark: the endpoint runs the real scripts, and starts no processes."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import schedules
from botocore.config import Config

from dynoexport import naming
from dynoexport.local import context
from dynoexport.local.glue import java, jobs, processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proxy import Proxy

    from dynoexport.local.context import Endpoint
    from dynoexport.local.glue.jobs import JobRun

HERE = Path(__file__).parent
SCRIPTS = HERE.parents[1] / "scripts"
PATHS = [str(path) for path in (HERE / "hurried", HERE, HERE.parent, SCRIPTS, processes.RUNTIME)]


class Clients:
    """boto3's default session: the scripts' clients, made once for each place."""

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        self._endpoints = endpoints
        self._thread = threading.local()
        self._made: dict[tuple[str, str], Any] = {}

    def at(self, place: str) -> None:
        """Set the place of this thread's calls."""
        self._thread.place = place

    def client(self, service: str, config: Config | None = None, **_: object) -> Any:
        place = getattr(self._thread, "place", schedules.EXPORT)
        if config is None:
            return self._endpoints[place].client(service)
        if (place, service) not in self._made:
            self._made[place, service] = self._patient(place, service, config)
        return self._made[place, service]

    def _patient(self, place: str, service: Any, config: Config) -> Any:
        """A client with the script's own settings, such as how often it tries again."""
        endpoint = self._endpoints[place]
        return context.session().client(
            service,
            region_name=endpoint.region,
            endpoint_url=endpoint.url,
            aws_access_key_id=endpoint.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=endpoint.env["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, proxies={}).merge(config),
        )

    @property
    def region_name(self) -> str:
        return self._endpoints[schedules.EXPORT].region


class Runner:
    """Runs jobs in this process; ``in_processes`` leaves them to the endpoint."""

    def __init__(self, endpoints: dict[str, Endpoint], bucket: str, master: str) -> None:
        for path in PATHS:
            if path not in sys.path:
                sys.path.insert(0, path)
        import hurry
        import s3_gateway
        import warm_spark

        hurry.up()
        self.in_processes = False
        self.ended: Callable[[JobRun], None] = lambda _: None
        self._clients = Clients(endpoints)
        boto3.DEFAULT_SESSION = self._clients  # type: ignore[assignment]
        export = endpoints[schedules.EXPORT]
        port = s3_gateway.serve(export.client("s3"), bucket)
        os.environ.update(java.environment())
        os.environ["SPARK_HOME"] = spark_home()
        # As spark-submit says it to whoever starts an executor.
        os.environ["SPARK_SCALA_VERSION"] = scala_version()
        self.spark = warm_spark.make(
            export.env, PATHS, bucket=bucket, port=port, master=master or warm_spark.MASTER
        )
        self._java = warm_spark.java()
        self._execute = jobs.execute
        jobs.execute = self.execute

    def execute(self, endpoint: Endpoint, run: JobRun) -> None:
        """As the endpoint's own: run the script to its end, leave state and error in the run."""
        if self.in_processes:
            self._execute(endpoint, run)
            return
        import create_current_view
        import export_table

        # In processes of their own, workers would not have this process's clients.
        export_table.available_processes = lambda: 1
        exports = run.definition["Command"]["ScriptLocation"].endswith(naming.EXPORT_SCRIPT)
        main = export_table.main if exports else create_current_view.main
        run.state = "RUNNING"
        self._clients.at(schedules.EXPORT if exports else schedules.PUBLISH)
        print(f"--- {run.job_name}, attempt {run.attempt}", flush=True)
        try:
            main([word for pair in run.arguments.items() for word in pair])
        except BaseException as error:  # noqa: BLE001 - whatever it is, the job has failed
            sys.tracebacklimit = 1000
            traceback.print_exception(error)
            self.ended(run)
            lines = "".join(traceback.format_exception_only(error)).splitlines()
            jobs._finish(run, "FAILED", jobs.error_message(lines, 1))
            return
        self.ended(run)
        jobs._finish(run, "SUCCEEDED", "")

    def refresh(self) -> None:
        """Let Spark find out which of its idle workers are dead: a new job has new ones.

        It keeps those of SQL apart from the others.
        """

        def rested(found: Iterable[Any]) -> Iterator[Any]:
            time.sleep(0.02)
            yield from found

        numbers = self.spark.range(0, 2, 1, 2)
        until_whole(lambda: numbers.rdd.mapPartitions(rested).count())
        until_whole(lambda: numbers.mapInArrow(rested, "id long").collect())

    def workers(self) -> list[int]:
        """Spark's Python workers, which have forked from a daemon of Python."""
        # Java, too, has the daemon's name among its words.
        daemons = self._processes(b"-m\0worker_daemon")
        return [pid for pid, parent in daemons.items() if parent in daemons]

    def executors(self) -> list[int]:
        """The executors that are processes of their own."""
        return sorted(self._processes(b"CoarseGrainedExecutorBackend"))

    def _processes(self, words: bytes) -> dict[int, int]:
        """What Spark has started with these words in its command line, each with its parent."""
        found = parents()
        return {
            pid: found[pid]
            for pid in descendants(self._java.pid, found)
            if words in command_line(pid)
        }


def until_whole(job: Callable[[], object], times: int = 4, most: int = 20) -> None:
    """Run the job until it succeeds this many times in a row, or the tries are used up."""
    whole = 0
    for _ in range(most):
        try:
            job()
        except Exception:  # noqa: BLE001 - a worker was dead
            whole = 0
        else:
            whole += 1
        if whole == times:
            return


def spark_home() -> str:
    """Spark as pip installs it, in a directory that executors may fill with their work."""
    import pyspark

    home = Path(tempfile.mkdtemp(prefix="spark-"))
    for name in ("bin", "jars"):
        (home / name).symlink_to(Path(pyspark.__file__).with_name(name))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return str(home)


def scala_version() -> str:
    """The one for which Spark was built, in the names of its jars."""
    (core,) = Path(os.environ["SPARK_HOME"], "jars").glob("spark-core_*.jar")
    return core.name.partition("_")[2].partition("-")[0]


def command_line(pid: int) -> bytes:
    """Empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def parents() -> dict[int, int]:
    """Every process with its parent."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        found[int(path.parent.name)] = int(text.rpartition(")")[2].split()[1])
    return found


def descendants(root: int, by_parent: dict[int, int]) -> set[int]:
    found = {root}
    while more := {pid for pid, parent in by_parent.items() if parent in found} - found:
        found |= more
    return found


def endpoints_of(proxy: Proxy, endpoint: Endpoint) -> dict[str, Endpoint]:
    from dataclasses import replace

    return {place: replace(endpoint, url=proxy.url(place)) for place in schedules.PLACES}
