"""An account with the common stack, deployed by the commands of docs/command.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from account import REVIEWS, Account

from dynoexport import naming

if TYPE_CHECKING:
    from dynoexport.local.context import Endpoint


@pytest.fixture(scope="session")
def account(endpoint: Endpoint) -> Account:
    """The common stack and the scripts are there, by the commands of docs/command.md."""
    account = Account(endpoint)
    account.deploy("dynoexport-common", "common.yaml")
    account.aws(
        "s3",
        "cp",
        "--recursive",
        "--exclude",
        "*",
        "--include",
        "*.py",
        "scripts/",
        f"s3://{account.bucket}/{naming.SCRIPTS_PREFIX}current/",
    )
    return account


@pytest.fixture
def reviews() -> list[dict[str, Any]]:
    return REVIEWS
