"""Clients from PyPI and npm against the endpoint: what each answers is what the record has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import clients_table
import judges
import pytest
import python_clients

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dynoexport.local.context import Endpoint

JUDGE = "{client}"


@pytest.fixture(scope="module")
def account() -> Iterator[Endpoint]:
    with python_clients.exported() as endpoint:
        yield endpoint


@pytest.mark.parametrize("client", python_clients.RUNS)
def test_every_step_of_a_client_answers_as_recorded(
    client: str, account: Endpoint, tmp_path: Path
) -> None:
    with judges.required(client):
        seen = python_clients.RUNS[client](account, tmp_path)
    assert seen == clients_table.recorded()[client]
