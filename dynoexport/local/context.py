"""The running endpoint, and its clients."""

from __future__ import annotations

import json
import os
import shlex
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from dynoexport.errors import DynoexportError
from dynoexport.local import credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class EndpointEnds(DynoexportError):
    """A request to an endpoint that has ended or is ending."""


ACCOUNT = "123456789012"
REGION = "us-east-1"
# The access key of the account's root; each start makes a new secret for it.
ROOT_ACCESS_KEY = "testing"


NO_FILES = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Endpoint:
    """One address for every AWS service; ``now`` is the clock of schedules and alarms.

    ``secret`` is the secret access key of the account's root.
    """

    url: str
    secret: str = field(repr=False)
    account: str = ACCOUNT
    region: str = REGION
    dynamodb_endpoint_url: str | None = None
    now: Callable[[], datetime] = field(default=_utc_now, compare=False)

    @property
    def env(self) -> dict[str, str]:
        """The environment variables with which a process uses the endpoint and no other account."""
        env = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": ROOT_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            # Without these botocore asks the network for credentials and settings.
            "AWS_EC2_METADATA_DISABLED": "true",
            **NO_FILES,
        }
        if self.dynamodb_endpoint_url is not None:
            env["AWS_ENDPOINT_URL_DYNAMODB"] = self.dynamodb_endpoint_url
        return env

    def shell_commands(self, user: Mapping[str, str]) -> list[str]:
        """What a shell runs to use the endpoint, whatever its environment ``user`` says."""
        unset = sorted(set(MISLEADING) | {name for name in user if name.startswith(_OF_A_SERVICE)})
        # Both spellings: programs differ in the one that they prefer.
        spellings = ("NO_PROXY", "no_proxy") if _has_proxy(user) else ()
        around = {
            name: ",".join(filter(None, (user.get(name), urlsplit(self.url).hostname)))
            for name in spellings
        }
        settings = {**self.env, **around}
        return [
            f"unset {' '.join(unset)}",
            *(f"export {name}={shlex.quote(value)}" for name, value in settings.items()),
        ]

    def client(self, service: Any, credentials: Mapping[str, str] | None = None) -> Any:
        """A boto3 client bound to the endpoint; ``credentials`` as environment variables."""
        env = {**self.env, **(credentials or {})}
        keys = tuple(env.get(name) for name in _CREDENTIALS)
        with _making:
            return _client(self, service, keys)

    def authorizations(self) -> list[dict[str, Any]]:
        """The authorization decisions so far."""
        keys = Credentials(ROOT_ACCESS_KEY, self.secret)
        asked = AWSRequest(method="GET", url=f"{self.url}/moto-api/authorizations")
        S3SigV4Auth(keys, "s3", self.region).add_auth(asked)
        decisions: list[dict[str, Any]] = json.loads(URLLib3Session().send(asked.prepare()).text)
        return decisions

    def assume(self, role_arn: str, session: str) -> dict[str, str]:
        """The credentials of a role's session, as environment variables."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session)
        keys = answer["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }


# Clients would prefer these variables of the shell to the endpoint's, or refuse to work with both.
# https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
MISLEADING = (
    "AWS_DEFAULT_PROFILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
)
_OF_A_SERVICE = "AWS_ENDPOINT_URL_"


def _has_proxy(user: Mapping[str, str]) -> bool:
    return any(user.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"))


def connect(url: str) -> Endpoint:
    """The endpoint that another process of this user serves.

    Raises:
        NoCredentials: there is none.
    """
    published = credentials.read(urlsplit(url).port or 0)
    return Endpoint(url, published.secret, dynamodb_endpoint_url=published.dynamodb_endpoint_url)


_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# Threads may share clients, but not make them at the same time:
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html
_making = threading.Lock()
# Seconds until an answer must begin.
_PATIENCE = 600


@lru_cache(maxsize=1)
def session() -> boto3.Session:
    """One session for all clients and for moto: each reads the descriptions of services for itself.

    It reads no file of the user's, and no profile.
    """
    nothing = (None, None, os.devnull, None)
    own = {"profile": (None,) * 4, "config_file": nothing, "credentials_file": nothing}
    return boto3.Session(botocore_session=botocore.session.Session(own))


@lru_cache(maxsize=128)
def _client(endpoint: Endpoint, service: Any, keys: tuple[str | None, ...]) -> Any:
    """A client, cached: a run needs dozens."""
    access_key, secret_key, token = keys
    url = endpoint.url
    if service == "dynamodb" and endpoint.dynamodb_endpoint_url is not None:
        url = endpoint.dynamodb_endpoint_url
    # By default, botocore repeats a request after a minute without an answer. A busy machine may
    # need longer, and the repeated request would find what the first one created.
    config = Config(
        s3={"addressing_style": "path"},
        read_timeout=_PATIENCE,
        # Whatever the environment says.
        proxies={},
        use_dualstack_endpoint=False,
        use_fips_endpoint=False,
    )
    return session().client(
        service,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        region_name=endpoint.region,
        endpoint_url=url,
        config=config,
    )


_running: list[Endpoint] = []


def set_endpoint(endpoint: Endpoint | None) -> None:
    """Set the endpoint that the services of this process use; None when it ends."""
    _running[:] = [] if endpoint is None else [endpoint]


def endpoint(region: str = REGION) -> Endpoint:
    """The endpoint that runs in this process, as one of its regions sees it.

    Raises:
        EndpointEnds: no endpoint runs any more.
    """
    for current in _running:
        return replace(current, region=region)
    raise EndpointEnds("the endpoint ends")


def in_background(work: Callable[..., object], *arguments: object) -> threading.Thread:
    """Run the function in a thread, which ends when it finds that the endpoint has ended."""

    def run() -> None:
        with suppress(EndpointEnds):
            work(*arguments)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
