"""Athena's API for catalogs, databases and tables, from the Glue catalog.

https://docs.aws.amazon.com/athena/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError

from dynoexport.local import context
from dynoexport.local.iam import authorization_middleware

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_glue import GlueClient

CATALOG = "AwsDataCatalog"
# https://docs.aws.amazon.com/athena/latest/APIReference/API_ListTableMetadata.html
_PAGE = 50


class InvalidRequest(JsonRESTError):
    """The one error of Athena's API for invalid requests."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestException", message)


class Metadata(JsonRESTError):
    """The catalog answered with an error, in Athena's words.

    https://github.com/DyfanJones/noctua/issues/205
    """

    def __init__(self, error: ClientError) -> None:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        source = (
            f"Service: AmazonDataCatalog; Status Code: 400; Error Code: {code}; "
            f"Request ID: {uuid4()}; Proxy: null"
        )
        super().__init__("MetadataException", f"{message} ({source})")


class MetadataResponse(AthenaResponse):
    """Answers about the one catalog that the endpoint has, with the caller's permissions."""

    def list_data_catalogs(self) -> str:
        return json.dumps({"DataCatalogsSummary": [{"CatalogName": CATALOG, "Type": "GLUE"}]})

    def get_data_catalog(self) -> str:
        self._require_catalog("Name")
        # https://docs.aws.amazon.com/athena/latest/APIReference/API_DataCatalog.html
        parameters = {"catalog-id": self.current_account}
        return json.dumps(
            {"DataCatalog": {"Name": CATALOG, "Type": "GLUE", "Parameters": parameters}}
        )

    def create_data_catalog(self) -> Any:
        raise NotImplementedError("CreateDataCatalog: the one catalog is AwsDataCatalog")

    def list_databases(self) -> str:
        self._require_catalog()
        with self._catalog() as glue:
            pages = glue.get_paginator("get_databases").paginate()
            found = [_database(database) for page in pages for database in page["DatabaseList"]]
        return self._page("DatabaseList", found)

    def get_database(self) -> str:
        self._require_catalog()
        with self._catalog() as glue:
            found = glue.get_database(Name=self._get_param("DatabaseName"))["Database"]
        return json.dumps({"Database": _database(found)})

    def list_table_metadata(self) -> str:
        """One page of a database's tables."""
        self._require_catalog()
        database, expression = self._get_param("DatabaseName"), self._get_param("Expression")
        try:
            matches = re.compile(expression or ".*", re.IGNORECASE).fullmatch
        except re.error as error:
            raise InvalidRequest(f"Expression is no regular expression: {error}") from error
        with self._catalog() as glue:
            pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
            tables = [table for page in pages for table in page["TableList"]]
        found = [_table(table) for table in tables if matches(table["Name"])]
        return self._page("TableMetadataList", found)

    def get_table_metadata(self) -> str:
        """What the catalog has of a table or view."""
        self._require_catalog()
        database, name = self._get_param("DatabaseName"), self._get_param("TableName")
        with self._catalog() as glue:
            found = glue.get_table(DatabaseName=database, Name=name)["Table"]
        return json.dumps({"TableMetadata": _table(found)})

    def _require_catalog(self, parameter: str = "CatalogName") -> None:
        # A catalog's name has no case: https://docs.aws.amazon.com/athena/latest/ug/querying-across-regions.html
        if str(self._get_param(parameter)).lower() != CATALOG.lower():
            raise InvalidRequest(f"Catalog {self._get_param(parameter)} was not found")

    @contextmanager
    def _catalog(self) -> Iterator[GlueClient]:
        caller = authorization_middleware.current()
        credentials = caller.credentials if caller else {}
        try:
            yield context.endpoint(self.region).client("glue", credentials)
        except ClientError as error:
            raise Metadata(error) from error

    def _page(self, name: str, found: list[dict[str, Any]]) -> str:
        token, size = self._get_param("NextToken"), int(self._get_param("MaxResults") or _PAGE)
        if token and not re.fullmatch(r"\d{1,9}", token):
            raise InvalidRequest("Invalid NextToken")
        start = int(token or 0)
        following = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return json.dumps({name: found[start : start + size], **following})


def _database(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("Name", "Description", "Parameters") if name in found}


def _table(found: Mapping[str, Any]) -> dict[str, Any]:
    """A table of Glue as Athena shows it: storage and serde are parameters.

    https://github.com/aws/aws-cli/blob/develop/awscli/examples/athena/get-table-metadata.rst
    """
    storage = found.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    parameters = {
        **found.get("Parameters", {}),
        "inputformat": storage.get("InputFormat"),
        "location": storage.get("Location"),
        "outputformat": storage.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
        **{f"serde.param.{name}": value for name, value in serde.get("Parameters", {}).items()},
    }
    times = {
        name: found[name].timestamp() for name in ("CreateTime", "LastAccessTime") if name in found
    }
    return {
        "Name": found["Name"],
        **times,
        "TableType": found.get("TableType"),
        "Columns": [_column(column) for column in storage.get("Columns", ())],
        "PartitionKeys": [_column(column) for column in found.get("PartitionKeys", ())],
        "Parameters": {name: value for name, value in parameters.items() if value is not None},
    }


def _column(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("Name", "Type", "Comment") if found.get(name)}
