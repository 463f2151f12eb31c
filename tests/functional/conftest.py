"""An account with the common stack, deployed by the commands of docs/command.md."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from account import REVIEWS, Account

from dynoexport import naming

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.fixture(scope="session")
def new_region(endpoint: Endpoint) -> Callable[[], Endpoint]:
    """The endpoint in a region of the account in which there is nothing; each call takes another.

    Two tests that name one region themselves find what the other one left, in some orders.
    """
    regions = iter(set(boto3.Session().get_available_regions("glue")) - {endpoint.region})
    return lambda: replace(endpoint, region=next(regions))


@pytest.fixture
def empty_region(new_region: Callable[[], Endpoint]) -> Endpoint:
    """The endpoint in a region of the account in which there is nothing."""
    return new_region()
