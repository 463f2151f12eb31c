"""Writers of one table of the catalog: versions, and what happens if two write at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynoexport.local.context import Endpoint

pytestmark = pytest.mark.endpoint

DATABASE = "versions"
TABLE = {"DatabaseName": DATABASE, "Name": "written"}


@pytest.fixture
def glue(endpoint: Endpoint) -> Iterator[Any]:
    """A database with a table without parameters."""
    client = endpoint.client("glue")
    client.create_database(DatabaseInput={"Name": DATABASE})
    client.create_table(DatabaseName=DATABASE, TableInput={"Name": "written", "Parameters": {}})
    yield client
    client.delete_table(**TABLE)
    client.delete_database(Name=DATABASE)


def _version(glue: Any) -> str:
    return str(glue.get_table(**TABLE)["Table"]["VersionId"])


def _update(glue: Any, parameters: dict[str, str], **options: Any) -> None:
    table = {"Name": "written", "Parameters": parameters}
    glue.update_table(DatabaseName=DATABASE, TableInput=table, **options)


def _versions(glue: Any) -> list[str]:
    answer = glue.get_table_versions(DatabaseName=DATABASE, TableName="written")
    return [version["VersionId"] for version in answer["TableVersions"]]


def test_an_update_of_an_old_version_is_refused(glue: Any) -> None:
    """The table is as the first writer left it; without a version the last one wins."""
    version = _version(glue)
    _update(glue, {"by": "first"}, VersionId=version)
    with pytest.raises(glue.exceptions.ConcurrentModificationException):
        _update(glue, {"by": "second"}, VersionId=version)
    assert glue.get_table(**TABLE)["Table"]["Parameters"] == {"by": "first"}
    _update(glue, {"by": "third"})
    assert glue.get_table(**TABLE)["Table"]["Parameters"] == {"by": "third"}


def test_an_update_without_an_archive_keeps_no_old_version(glue: Any) -> None:
    first = _version(glue)
    _update(glue, {"by": "archiver"})
    second = _version(glue)
    assert _versions(glue) == [first, second]
    _update(glue, {"by": "another"}, SkipArchive=True)
    assert _versions(glue) == [first, _version(glue)]
    assert _version(glue) not in {first, second}


def test_writers_at_the_same_time_lose_nothing(glue: Any) -> None:
    """Each reads the table again until its update is accepted, as Iceberg does."""

    def write(name: str) -> None:
        while True:
            table = glue.get_table(**TABLE)["Table"]
            parameters = {**table["Parameters"], name: "written"}
            try:
                _update(glue, parameters, VersionId=table["VersionId"], SkipArchive=True)
            except glue.exceptions.ConcurrentModificationException:
                continue
            return

    names = [f"writer-{number}" for number in range(12)]
    with ThreadPoolExecutor(len(names)) as executor:
        list(executor.map(write, names))
    assert set(glue.get_table(**TABLE)["Table"]["Parameters"]) == set(names)
