"""An account in moto, independent of the AWS settings of the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws
from snapshot_bucket import Store

import dynoexport
from dynoexport import naming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport import Account


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command in this process waits for is no line, however slow the machine is."""
    monkeypatch.setattr("dynoexport.cli.waiting.PATIENCE", 600)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all AWS settings: credentials, region, profiles and endpoint."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    # Elsewhere botocore would ask a machine in EC2 for the credentials of its role.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def account(no_settings: None) -> Iterator[Account]:
    """A new account without anything in it."""
    with mock_aws():
        yield dynoexport.connect(region="eu-west-1")


@pytest.fixture
def store(account: Account) -> Store:
    """The bucket and the database of exports, with nothing in them."""
    account.s3.create_bucket(
        Bucket=account.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    account.glue.create_database(DatabaseInput={"Name": naming.DATABASE})
    return Store(account)
