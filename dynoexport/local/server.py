"""The endpoint: moto's server, with services that really run."""

from __future__ import annotations

import functools
import json
import logging
import socket
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from flask import Flask, Response, request
from moto import backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core import utils as moto_utils
from moto.core.base_backend import AccountSpecificBackend
from moto.core.exceptions import JsonRESTError
from moto.core.loaders import create_loader
from moto.glue.models import glue_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from dynoexport.errors import DynoexportError
from dynoexport.local import cbor, context, credentials
from dynoexport.local.cloudformation import resources, stacks
from dynoexport.local.context import Endpoint
from dynoexport.local.glue import api, events, processes
from dynoexport.local.glue.scheduler import Scheduler
from dynoexport.local.iam import authorization_middleware, roles, simulation
from dynoexport.local.iam.authentication_middleware import HEADERS, AuthenticationMiddleware
from dynoexport.local.services import alarms, athena, dynamodb, s3, table_exports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from werkzeug.serving import BaseWSGIServer

HOST = "127.0.0.1"
# How often the server looks whether it is to end.
_SECONDS_TO_END = 0.05


class PortTaken(DynoexportError):
    """Another process listens on the port."""


@contextmanager
def serve(
    port: int,
    *,
    dynamodb_endpoint_url: str | None = None,
    s3a_jars: Path | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Iterator[Endpoint]:
    """Serve on loopback until the block ends; port 0 selects a free one.

    Job processes that still run or wait then are killed. One endpoint at a time in a process:
    moto keeps its state in the process. ``now`` is the clock of schedules, delays and alarms;
    it need not show the real time.

    Raises:
        PortTaken: another process listens there.
        NoS3A: ``s3a_jars`` does not have the jars of S3A.
    """
    server = _listen(port)
    with _closing(server), credentials.publish(server.port, dynamodb_endpoint_url) as secret:
        endpoint = Endpoint(
            f"http://{HOST}:{server.port}",
            secret,
            dynamodb_endpoint_url=dynamodb_endpoint_url,
            now=now,
        )
        with _running(server, endpoint, s3a_jars):
            yield endpoint


@contextmanager
def _running(server: BaseWSGIServer, endpoint: Endpoint, s3a_jars: Path | None) -> Iterator[None]:
    """Answer requests and start what is due until the block ends."""
    # Not before it is certain that the endpoint starts: moto stays changed in this process.
    install()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    processes.begin(s3a_jars)
    context.set_endpoint(endpoint)
    now = endpoint.now
    scheduler = Scheduler(_triggers, _start_workflow, poll=_poll, now=now)
    context.in_background(server.serve_forever, _SECONDS_TO_END)
    context.in_background(scheduler.run)
    try:
        yield
    finally:
        scheduler.stop()
        _glue().stop_everything()
        processes.end_all()
        server.shutdown()
        context.set_endpoint(None)


@contextmanager
def _closing(server: BaseWSGIServer) -> Iterator[None]:
    try:
        yield
    finally:
        server.server_close()


def _listen(port: int) -> BaseWSGIServer:
    # werkzeug prints and exits by itself when a port is taken, so the socket is opened here.
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise PortTaken(
            f"port {port} is in use", hint="choose another with --port, 0 takes a free one"
        ) from error
    with listening:
        port = listening.getsockname()[1]
        return make_server(
            HOST,
            port,
            AuthenticationMiddleware(DomainDispatcherApplication(_service)),
            threaded=True,
            request_handler=_Handler,
            fd=listening.fileno(),
        )


_REPLACED = (
    api,
    events,
    alarms,
    athena,
    dynamodb,
    stacks,
    resources,
    roles,
    s3,
    simulation,
    table_exports,
)


def install() -> None:
    """Make moto use the services that run; call it before any other use of moto in this process."""
    for service in _REPLACED:
        service.install()
    # Moto reads its own directory for every request, which takes as long as the answer.
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    # And botocore's for every service. Not with the loader of our clients: botocore changes what
    # a client has loaded. moto imports the name there.
    moto_utils.create_loader = functools.cache(create_loader)  # type: ignore[attr-defined]
    # Of a session it wants the regions and names of services only.
    AccountSpecificBackend.get_session = context.session  # type: ignore[method-assign]
    moto_utils.Session = context.session  # type: ignore[assignment, attr-defined]


def _service(name: Any) -> Flask:
    """Moto's application for a service; it refuses operations that it lacks by name.

    Moto answers with an internal error, which clients retry again and again.
    """
    app = create_backend_app(name)
    app.wsgi_app = cbor.CborMiddleware(app.wsgi_app, name)  # type: ignore[method-assign]
    authorization_middleware.guard(app, name)
    if name == "s3":
        s3.guard(app)

    @app.errorhandler(NotImplementedError)
    def refuse(error: NotImplementedError) -> Response:
        what, code = f"not on the local endpoint: {error}", "NotImplementedException"
        if "json" in (request.content_type or ""):
            body = json.dumps({"__type": code, "message": what})
            return Response(body, status=501, mimetype="application/x-amz-json-1.1")
        error_xml = f"<Error><Code>{code}</Code><Message>{escape(what)}</Message></Error>"
        return Response(f"<ErrorResponse>{error_xml}</ErrorResponse>", 501, mimetype="text/xml")

    return app


class _Handler(MotoRequestHandler):
    def make_environ(self) -> dict[str, Any]:
        """The environment with the original headers: WSGI changes their names and merges them."""
        # http.client reads them as Latin-1, AWS's clients sign UTF-8.
        headers = (
            (name, value.encode("latin-1").decode(errors="replace"))
            for name, value in self.headers.items()
        )
        return {**super().make_environ(), HEADERS: tuple(headers)}

    def handle_expect_100(self) -> bool:
        """Leave ``100 Continue`` to werkzeug, which sends it without asking whether it was sent.

        Some clients, such as the asynchronous one of the AWS SDK for Java, take a second one for
        the answer.
        """
        return True

    def log_request(self, *_: object) -> None:
        """Log nothing: the client decides which of its requests to log."""


def _glue() -> Any:
    return glue_backends[context.ACCOUNT][context.REGION]


def _triggers() -> Iterable[Mapping[str, Any]]:
    return [trigger.as_dict() for trigger in list(_glue().triggers.values())]


def _poll() -> None:
    _glue().report_delays()
    cloudwatch: Any = cloudwatch_backends[context.ACCOUNT][context.REGION]
    cloudwatch.evaluate_alarms()


def _start_workflow(name: str) -> None:
    # As on AWS, a firing beyond the allowed concurrent runs is lost.
    with suppress(JsonRESTError):
        _glue().start_workflow_run(name, None)
