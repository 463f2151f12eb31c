"""Authorize each call of the endpoint by the policies of its caller.

moto dispatches a call without authorizing its caller, so this module does, before each dispatch.
It keeps each decision for ``Endpoint.authorizations``: caller, action, resource and conditions, the
number of requests, the answer, and the statement behind it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from flask import Flask, Response, g, has_request_context, request
from moto.athena.models import athena_backends
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.s3.models import s3_backends

from dynoexport.local import context
from dynoexport.local.iam import api_actions, authorization, identities, kms
from dynoexport.local.iam.api_actions import Place, UnknownOperation
from dynoexport.local.iam.authentication_middleware import RECORD, SCOPE
from dynoexport.local.iam.authorization import NotUnderstood, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dynoexport.local.iam.identities import Caller

# What every caller may do: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_FREE = {"sts:GetCallerIdentity"}
# SNS has a code of its own: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_CODES = {"sns": "AuthorizationError"}


class Denied(Exception):
    """A call that the caller's policies do not allow; its text is AWS's."""


@dataclass(frozen=True)
class Entry:
    """One authorization decision."""

    caller: str
    holder: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...]
    allowed: bool
    policy: str
    sid: str


_asked: Counter[Entry] = Counter()
_lock = threading.Lock()


# --- deciding ------------------------------------------------------------------------------------
def authorize(caller: Caller | None, needed: Iterable[Request]) -> None:
    """Require every permission; the account's root has all.

    Raises:
        Denied: at the first that the caller's policies do not allow.
    """
    if caller is None:
        return
    for permission in needed:
        decision = _decide(caller, permission)
        if not decision.allowed:
            raise Denied(
                f"User: {caller.arn} is not authorized to perform: {permission.action} on "
                f"resource: {_shown(permission)} {decision.reason}"
            )


def allows(caller: Caller | None, needed: Request) -> bool:
    """Whether the caller has a permission that changes an answer but refuses no call."""
    return caller is None or _decide(caller, needed).allowed


def _decide(caller: Caller, needed: Request) -> authorization.Decision:
    asked = _with_common_keys(caller, needed)
    try:
        decision = authorization.decide(asked, identities.policies(caller))
    except NotUnderstood as error:
        decision = authorization.Decision(
            False, None, f"because {error}, which is not decided here"
        )
    statement = decision.statement
    entry = Entry(
        caller.arn,
        caller.holder,
        needed.action,
        needed.resource,
        tuple(sorted(needed.context.items())),
        decision.allowed,
        statement.policy if statement else "",
        statement.sid if statement else "",
    )
    with _lock:
        _asked[entry] += 1
    return decision


def _with_common_keys(caller: Caller, needed: Request) -> Request:
    """The request with the condition keys that AWS adds to every request."""
    known = {
        "aws:PrincipalArn": caller.holder,
        "aws:PrincipalAccount": caller.account,
        "aws:SecureTransport": "true",
        **needed.context,
    }
    return Request(needed.action, needed.resource, known)


def _shown(needed: Request) -> str:
    """The resource for a message; S3 quotes it."""
    quoted = needed.action.startswith("s3:")
    return f'"{needed.resource}"' if quoted else needed.resource


def record() -> list[dict[str, Any]]:
    """All decisions so far, each once with its number of requests."""
    with _lock:
        decisions = list(_asked.items())
    return [
        {**asdict(entry), "context": dict(entry.context), "calls": calls}
        for entry, calls in decisions
    ]


# --- calls ---------------------------------------------------------------------------------------
def guard(app: Flask, service: str) -> None:
    """Authorize every call of the service."""
    if service == "moto_api":
        app.add_url_rule(RECORD, "authorizations", record)
        return
    app.before_request(lambda: _check(service))


def current() -> Caller | None:
    """The caller of the current call; None is root or the endpoint itself."""
    return g.get("caller") if has_request_context() else None


def _check(service: str) -> Response | None:
    scope = request.environ[SCOPE]
    g.caller = identities.caller(scope.access_key)
    if g.caller is None:
        return _refuse_missing_role() if service == "sts" else None
    prefix = api_actions.PREFIXES.get(service, service)
    try:
        operation, parameters = _call(service)
        name = f"{prefix}:{operation}"
        if name not in _FREE:
            _authorize_call(g.caller, name, parameters, Place(g.caller.account, scope.region))
    except Denied as error:
        return _refusal(prefix, str(error))
    except UnknownOperation as error:
        what = f"the endpoint does not know what {error} needs, and refuses it to a limited caller"
        return _refusal(prefix, what)
    if name == "s3:DeleteObjects":
        return _delete_objects(g.caller, parameters, scope.region)
    return None


def _refuse_missing_role() -> Response | None:
    """Root may assume every role that exists; AWS denies one that does not.

    https://github.com/uswitch/kiam/issues/33
    """
    name, parameters = _call("sts")
    role = str(parameters.get("RoleArn", ""))
    if name != "AssumeRole" or identities.has_role(role):
        return None
    return _refusal("sts", f"Not authorized to perform sts:AssumeRole: there is no role {role}")


def _call(service: str) -> tuple[str, Mapping[str, Any]]:
    """The operation's name and parameters, as moto reads them."""
    model: Any = get_service_model(service)
    asked: Any = request
    labels: Mapping[str, Any] = {}
    # A call of S3 has no such name, and its body must not be read here.
    name = "" if service == "s3" else _named()
    if not name:
        operation, labels = get_service_router(service).match(asked)
        name = str(operation.name)
    protocol = determine_request_protocol(model, request.content_type)
    parser = PROTOCOL_PARSERS[protocol](model.operation_model(name))
    parts: Any = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": request.get_data(),
        "url_path": request.path,
        "url_params": labels,
    }
    return name, parser.parse(parts)


def _named() -> str:
    """The one operation that a call names, in its header, its address or its form; else "".

    moto looks into them in another order: a call that names two could be one operation here and
    another one for moto.

    Raises:
        Denied: it names several, or has parameters in its address and in its form.
    """
    request.get_data()
    target = request.headers.get("X-Amz-Target")
    named = {target.rpartition(".")[2]} if target else set()
    named |= {*request.args.getlist("Action"), *request.form.getlist("Action")}
    if len(named) > 1 or (request.args and request.form):
        raise Denied("The call names several operations, or has parameters in two places")
    return named.pop() if named else ""


def _authorize_call(
    caller: Caller, operation: str, parameters: Mapping[str, Any], place: Place
) -> None:
    if operation == "s3:DeleteObjects":
        # Object by object: _delete_objects.
        return
    if operation == "sts:AssumeRole":
        _authorize_session(caller, parameters, place)
        return
    authorize(
        caller, api_actions.needs(operation, _with_work_group(parameters, place.region), place)
    )
    authorize(caller, kms.needs(operation, parameters, place))
    if operation in {"s3:HeadObject", "s3:GetObject"}:
        _hide_missing(caller, parameters, place)


def _authorize_session(caller: Caller, parameters: Mapping[str, Any], place: Place) -> None:
    """One side must allow a role of the same account, both sides one of another account.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
    """
    (needed,) = api_actions.needs("sts:AssumeRole", parameters, place)
    asked = _with_common_keys(caller, needed)
    grant = identities.trusted(needed.resource, asked, caller.principals)
    if grant is None:
        raise Denied(
            f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: "
            f"{needed.resource}"
        )
    same = needed.resource.split(":")[4] == caller.account
    if not (same and grant[1] in {caller.arn, caller.holder}):
        authorize(caller, [needed])


def _with_work_group(parameters: Mapping[str, Any], region: str) -> Mapping[str, Any]:
    """The parameters with the query's workgroup, which Athena finds by the query's ID."""
    executions = athena_backends[context.ACCOUNT][region].executions
    known = executions.get(parameters.get("QueryExecutionId", ""))
    if known is None or known.workgroup is None:
        return parameters
    return {**parameters, "WorkGroup": known.workgroup.name}


def _hide_missing(caller: Caller, parameters: Mapping[str, Any], place: Place) -> None:
    """Deny, instead of reporting a missing key, where the caller may not list the bucket.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html#API_HeadObject_RequestSyntax
    """
    bucket, key = parameters["Bucket"], parameters["Key"]
    known = s3_backends[context.ACCOUNT][place.partition].buckets.get(bucket)
    if known is None or key in known.keys:
        return
    listing = Request("s3:ListBucket", place.arn("s3", bucket), {"s3:prefix": key})
    authorize(caller, [listing])


def _delete_objects(caller: Caller, parameters: Mapping[str, Any], region: str) -> Response | None:
    """Each key is allowed or not; S3 deletes the allowed ones and reports the others.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    """
    needed = api_actions.needs("s3:DeleteObjects", parameters, Place(caller.account, region))
    prefix = f"{Place(caller.account, region).arn('s3', parameters['Bucket'])}/"
    denied = {
        permission.resource.removeprefix(prefix)
        for permission in needed
        if not allows(caller, permission)
    }
    if not denied:
        return None
    for entry in parameters["Delete"]["Objects"]:
        if entry["Key"] not in denied:
            s3_backends[context.ACCOUNT]["aws"].delete_object(parameters["Bucket"], entry["Key"])
    errors = "".join(
        f"<Error><Key>{escape(key)}</Key><Code>AccessDenied</Code>"
        "<Message>Access Denied</Message></Error>"
        for key in sorted(denied)
    )
    return Response(f"<DeleteResult>{errors}</DeleteResult>", mimetype="application/xml")


def _refusal(service: str, message: str) -> Response:
    """The error in the form of the call's protocol."""
    if request.headers.get("X-Amz-Target"):
        body = json.dumps({"__type": "AccessDeniedException", "message": message})
        return Response(body, HTTPStatus.BAD_REQUEST, mimetype="application/x-amz-json-1.1")
    code = _CODES.get(service, "AccessDenied")
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if service == "s3":
        body = "" if request.method == "HEAD" else f"<Error>{error}</Error>"
    else:
        body = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
    return Response(body, HTTPStatus.FORBIDDEN, mimetype="application/xml")
