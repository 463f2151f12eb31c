"""What clients need to know of each endpoint that runs, in a file that its user alone can read."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoCredentials(DynoexportError):
    """The file of an endpoint's secret access key cannot be read or written."""


@dataclass(frozen=True)
class Published:
    """The secret access key of an endpoint's root, and where its DynamoDB is if not there."""

    secret: str
    dynamodb_endpoint_url: str | None = None


def directory() -> Path:
    """The directory for files that outlive a process.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    return base / "dynoexport"


def path(port: int) -> Path:
    """The file of the endpoint on this port."""
    return directory() / f"endpoint-{port}"


@contextmanager
def publish(port: int, dynamodb_endpoint_url: str | None = None) -> Iterator[str]:
    """Write a new secret access key to its file until the block ends.

    Raises:
        NoCredentials: the file cannot be written.
    """
    secret, file = secrets.token_urlsafe(30), path(port)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        # Private from its creation on.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{secret}\n{dynamodb_endpoint_url or ''}")
    except (OSError, RuntimeError) as error:
        raise NoCredentials(
            f"cannot write the endpoint's credentials to {file}: {_reason(error)}",
            hint="set XDG_STATE_HOME to a directory of yours",
        ) from error
    try:
        yield secret
    finally:
        file.unlink(missing_ok=True)


def read(port: int) -> Published:
    """What the endpoint on this port has published.

    Raises:
        NoCredentials: no endpoint of this user runs there.
    """
    try:
        secret, _, url = path(port).read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError as error:
        raise NoCredentials(
            f"no endpoint runs on port {port}", hint="start it with 'dynoexport local start'"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise NoCredentials(
            f"cannot read the credentials of the endpoint on port {port}: {_reason(error)}",
            hint="stop it, and start it again: dynoexport local start",
        ) from error
    return Published(secret, url or None)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
