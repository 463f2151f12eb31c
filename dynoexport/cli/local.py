"""``dynoexport local``: an AWS endpoint on this machine that runs Glue Workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dynoexport.cli import common
from dynoexport.cli.demo import demo
from dynoexport.cli.waiting import waiting

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PORT = 4600
WAKE_SECONDS = 1


@click.group()
def local() -> None:
    """Run exports on this machine, without an AWS account."""


local.add_command(demo)


@local.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Listen on this port of 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--dynamodb-endpoint-url",
    type=common.Text(),
    metavar="URL",
    help="Read tables from this URL, such as your own DynamoDB Local.",
)
@click.option(
    "--s3a-jars",
    type=common.Folder(exists=True),
    metavar="DIRECTORY",
    help="Let jobs use Hadoop's S3A for s3://, from the jars in this folder (docs/local.md).",
)
def start(port: int, dynamodb_endpoint_url: str | None, s3a_jars: Path | None) -> None:
    """Serve an AWS endpoint on 127.0.0.1 until Ctrl-C.

    The aws command and the AWS SDKs work with it unchanged. Glue jobs run with real Spark,
    triggers fire, crawls fill the catalog, and Athena answers queries. All data is lost when the
    endpoint stops.

    Jobs run with your rights on this machine, so requests must be signed with the credentials
    that `dynoexport local env` prints. Other users of the machine cannot read these credentials.

    \b
    Examples:
      dynoexport local start
      dynoexport local start --port 4700
      dynoexport local start --dynamodb-endpoint-url http://localhost:8000
    """
    # Imports the emulator, which takes about a second: not for --help.
    import signal
    import threading

    from dynoexport.local import loading

    with loading.quickly():
        from dynoexport.local import server

    stopped = threading.Event()
    # A service manager sends SIGTERM, and a closing terminal sends SIGHUP, which nohup ignores.
    # Jobs must end with the endpoint, as they do on Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stopped.set())
    with (
        waiting("Starting the endpoint") as wait,
        server.serve(
            port, dynamodb_endpoint_url=dynamodb_endpoint_url, s3a_jars=s3a_jars
        ) as endpoint,
    ):
        wait.stop()
        own = "" if port == DEFAULT_PORT else f" --port {endpoint.url.rpartition(':')[2]}"
        click.echo(f"AWS endpoint on {endpoint.url} (Ctrl-C stops it). In another shell:")
        click.echo(f'  eval "$(dynoexport local env{own})"')
        # The system may hand the signal to any thread of the process, but Python's handler runs in
        # this one, and only when it wakes: https://docs.python.org/3/library/signal.html
        while not stopped.wait(WAKE_SECONDS):
            pass


@local.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Use the endpoint on this port.",
)
def env(port: int) -> None:
    """Print the environment variables for AWS clients.

    Each start of the endpoint makes a new secret access key: run this command again after it.

    \b
    Example:
      eval "$(dynoexport local env)"
    """
    import os

    from dynoexport.local import context

    with waiting("Waiting for the endpoint"):
        endpoint = context.connect(f"http://127.0.0.1:{port}")
    for line in endpoint.shell_commands(os.environ):
        click.echo(line)
