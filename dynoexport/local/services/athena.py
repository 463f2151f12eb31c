"""Athena on the endpoint: its API, with executions that run and results that can be read."""

from __future__ import annotations

import itertools
import json
import re
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from moto.athena import models, urls
from moto.core.exceptions import JsonRESTError

from dynoexport.jobs.limits import ATHENA_QUERY_MAX
from dynoexport.local import context
from dynoexport.local.context import in_background
from dynoexport.local.iam import authorization_middleware
from dynoexport.local.services.athena_metadata import InvalidRequest, MetadataResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from mypy_boto3_s3 import S3Client

# https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
_PAGE = 1000
_DDL = re.compile(r"(?:ALTER|CREATE|DESC|DESCRIBE|DROP|MSCK|SHOW)\b", re.IGNORECASE)


class NoSuchStatement(JsonRESTError):
    """There is no such prepared statement in the workgroup."""

    def __init__(self, name: str, group: str) -> None:
        # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetPreparedStatement.html
        message = f"PreparedStatement {name} was not found in workGroup {group}"
        super().__init__("ResourceNotFoundException", message)


class LocalAthenaBackend(models.AthenaBackend):
    """moto's workgroups and executions; the executions run."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.callers: dict[str, Mapping[str, str]] = {}
        self.results: dict[str, pa.Table | None] = {}

    @property
    def _url_module(self) -> Any:
        """The service's URLs, which moto expects in a module next to the backend's."""
        return SimpleNamespace(
            url_bases=urls.url_bases, url_paths={"{0}/$": LocalAthenaResponse.dispatch}
        )

    def start_query_execution(
        self,
        query: str,
        context: Any,
        config: dict[str, Any],
        workgroup: str,
        execution_parameters: list[str] | None,
    ) -> str:
        from dynoexport.local.services.trino_syntax import without_first_comments

        if len(query) > ATHENA_QUERY_MAX:
            raise InvalidRequest(
                "1 validation error detected: Value at 'queryString' failed to satisfy constraint: "
                f"Member must have length less than or equal to {ATHENA_QUERY_MAX}"
            )
        group = self.work_groups.get(workgroup or "primary")
        location = _result_location(group, config)
        execution = models.Execution(query, context, {}, group, execution_parameters)
        # https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
        kind = "txt" if _DDL.match(without_first_comments(query)) else "csv"
        execution.config = {"OutputLocation": f"{location}{execution.id}.{kind}"}
        self.executions[execution.id] = execution
        self.outcomes[execution.id] = {"State": "QUEUED"}
        caller = authorization_middleware.current()
        self.callers[execution.id] = caller.credentials if caller else {}
        in_background(self._execute, execution)
        return execution.id

    def _execute(self, execution: Any) -> None:
        # Arrow, DuckDB and sqlglot: ``late_imports`` imports them while a job starts.
        from dynoexport.local.services.trino_syntax import QueryFailed

        outcome = self.outcomes[execution.id]
        outcome["State"] = "RUNNING"
        try:
            state = self._run(execution, outcome)
        except QueryFailed as error:
            state = {"State": "FAILED", "StateChangeReason": str(error)}
        except ClientError as error:
            state = {"State": "FAILED", "StateChangeReason": _refused(error)}
        except Exception as error:  # noqa: BLE001 - no query may run for ever
            reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"
            state = {"State": "FAILED", "StateChangeReason": reason}
        execution.end_time = time.time()
        if outcome["State"] != "CANCELLED":
            outcome.update(state)

    def _run(self, execution: Any, outcome: dict[str, Any]) -> dict[str, str]:
        """Run the query with the permissions of its caller, as Athena does.

        https://docs.aws.amazon.com/athena/latest/ug/security-iam-athena.html
        """
        from dynoexport.local.services.query import Engine

        credentials = self.callers[execution.id]
        glue, s3 = (
            context.endpoint(self.region_name).client(name, credentials) for name in ("glue", "s3")
        )
        # DDL of awswrangler quotes the name.
        database = (execution.context or {}).get("Database", "default").strip("`")
        _locate(s3, execution.config["OutputLocation"])
        # Athena asks for "default" whatever the query names:
        # https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
        for name in {"default", database}:
            with suppress(glue.exceptions.EntityNotFoundException):
                glue.get_database(Name=name)
        engine = Engine(glue, s3, database)
        sql = self._prepared(execution)
        try:
            result = None if sql is None else engine.run(sql)
        finally:
            outcome["bytes"] = engine.bytes_scanned
        _write_result(s3, execution.config["OutputLocation"], result)
        self.results[execution.id] = result
        return {"State": "SUCCEEDED"}

    def _prepared(self, execution: Any) -> str | None:
        """The statement to run, with its parameters; None if it only kept or dropped one."""
        from dynoexport.local.services import prepared_statements
        from dynoexport.local.services.trino_syntax import QueryFailed

        statement = prepared_statements.read(execution.query)
        parameters = execution.execution_parameters or []
        group = execution.workgroup.name if execution.workgroup else "primary"
        if isinstance(statement, prepared_statements.Prepare):
            # moto keeps the workgroup's name, which its type does not say.
            keep: Any = self.create_prepared_statement
            keep(statement.name, group, statement.statement, "")
            return None
        if statement is None:
            return prepared_statements.filled(execution.query, parameters)
        find: Any = self.get_prepared_statement
        kept = find(statement.name, group)
        if kept is None:
            raise QueryFailed(f"NOT_FOUND: Prepared statement not found: {statement.name}")
        if isinstance(statement, prepared_statements.Deallocate):
            del self.prepared_statements[statement.name]
            return None
        return prepared_statements.filled(kept.query_statement, statement.parameters or parameters)

    def get_query_execution(self, exec_id: str) -> Any:
        if exec_id not in self.executions:
            raise InvalidRequest(f"QueryExecution {exec_id} was not found")
        execution = self.executions[exec_id]
        execution.status = self.outcomes[exec_id]["State"]
        return execution

    def stop_query_execution(self, exec_id: str) -> None:
        self.get_query_execution(exec_id)
        if self.outcomes[exec_id]["State"] in {"QUEUED", "RUNNING"}:
            self.outcomes[exec_id]["State"] = "CANCELLED"


def _result_location(group: Any, config: dict[str, Any] | None) -> str:
    """The location of the result: the workgroup's if it enforces one.

    Raises:
        InvalidRequest: there is none, in Athena's words.
    """
    settings = (group.configuration or {}) if group is not None else {}
    enforced = str(settings.get("EnforceWorkGroupConfiguration", True)).lower() == "true"
    theirs = settings.get("ResultConfiguration", {}).get("OutputLocation")
    mine = (config or {}).get("OutputLocation")
    location = (theirs if enforced and theirs else None) or mine or theirs
    if not location:
        raise InvalidRequest(
            "No output location provided. An output location is required either through the "
            "Workgroup result configuration setting or as an API input."
        )
    return location if location.endswith("/") else f"{location}/"


def _refused(error: ClientError) -> str:
    """The error of another service, after the words that Athena puts before a denial."""
    if error.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException", "403"}:
        message = error.response["Error"]["Message"]
        return f"Insufficient permissions to execute the query. {message}"
    return str(error)


def _locate(s3: S3Client, location: str) -> None:
    """Require GetBucketLocation on the bucket of the results, as Athena does first.

    https://docs.aws.amazon.com/athena/latest/ug/querying-iam.html
    """
    s3.get_bucket_location(Bucket=urlsplit(location).netloc)


def _write_result(s3: S3Client, location: str, result: pa.Table | None) -> None:
    url = urlsplit(location)
    lines = []
    rows = _texts(result) if result is not None else iter(())
    if url.path.endswith(".txt"):
        lines = ["\t".join(value or "" for value in row) for row in rows]
    else:
        names = [list(result.column_names)] if result is not None else []
        for row in itertools.chain(names, rows):
            quoted = (
                "" if value is None else '"' + value.replace('"', '""') + '"' for value in row
            )
            lines.append(",".join(quoted))
    body = "".join(line + "\n" for line in lines).encode()
    s3.put_object(Bucket=url.netloc, Key=url.path.lstrip("/"), Body=body)


def _is_headless(result: pa.Table) -> bool:
    """Whether it is of a statement such as SHOW, whose results have no row of names."""
    return bool((result.schema.metadata or {}).get(b"headless"))


def _texts(result: pa.Table) -> Iterator[list[str | None]]:
    from dynoexport.local.services import hive_types

    # By column, since two may have one name. Maps not as pairs: an empty one would be a list.
    columns = [
        map(hive_types.text, column.to_pylist(maps_as_pydicts="strict"))
        for column in result.columns
    ]
    yield from map(list, zip(*columns, strict=True))


class LocalAthenaResponse(MetadataResponse):
    """Answers of real executions."""

    @property
    def _backend(self) -> LocalAthenaBackend:
        backend: Any = self.athena_backend
        return backend  # type: ignore[no-any-return]

    def get_query_execution(self) -> str:
        exec_id = self._get_param("QueryExecutionId")
        answer = json.loads(super().get_query_execution())
        outcome = self._backend.outcomes[exec_id]
        shown = answer["QueryExecution"]
        shown["Status"] |= {key: value for key, value in outcome.items() if key != "bytes"}
        if outcome["State"] in {"QUEUED", "RUNNING"}:
            shown["Status"].pop("CompletionDateTime")
        execution = self._backend.executions[exec_id]
        taken = int((execution.end_time - execution.start_time) * 1000)
        shown["Statistics"] |= {
            "DataScannedInBytes": outcome.get("bytes", 0),
            "EngineExecutionTimeInMillis": taken,
            "TotalExecutionTimeInMillis": taken,
        }
        return json.dumps(answer)

    def get_query_runtime_statistics(self) -> Any:
        raise NotImplementedError("GetQueryRuntimeStatistics: it would be moto's constants")

    def get_prepared_statement(self) -> str:
        name, group = self._get_param("StatementName"), self._get_param("WorkGroup")
        find: Any = self._backend.get_prepared_statement
        if find(name, group) is None:
            raise NoSuchStatement(name, group)
        return super().get_prepared_statement()

    def delete_prepared_statement(self) -> str:
        """Forget a statement.

        https://docs.aws.amazon.com/athena/latest/APIReference/API_DeletePreparedStatement.html
        """
        self.get_prepared_statement()
        del self._backend.prepared_statements[self._get_param("StatementName")]
        return "{}"

    def get_query_results(self) -> str:
        exec_id = self._get_param("QueryExecutionId")
        self._backend.get_query_execution(exec_id)
        state = self._backend.outcomes[exec_id]["State"]
        if state in {"QUEUED", "RUNNING"}:
            raise InvalidRequest(f"Query has not yet finished. Current state: {state}")
        if state != "SUCCEEDED":
            # https://github.com/ankane/blazer/blob/master/lib/blazer/adapters/athena_adapter.rb
            raise InvalidRequest(f"Query did not finish successfully. Final query state: {state}")
        result = self._backend.results[exec_id]
        start = int(self._get_param("NextToken") or 0)
        size = int(self._get_param("MaxResults") or _PAGE)
        rows, info = [], []
        if result is not None:
            header = [] if _is_headless(result) else [list(result.column_names)]
            rows = [*header, *_texts(result)]
            info = [_column_info(field) for field in result.schema]
        page = [
            {"Data": [{} if value is None else {"VarCharValue": value} for value in row]}
            for row in rows[start : start + size]
        ]
        answer: dict[str, Any] = {
            "ResultSet": {"Rows": page, "ResultSetMetadata": {"ColumnInfo": info}},
            "UpdateCount": 0,
        }
        if start + size < len(rows):
            answer["NextToken"] = str(start + size)
        return json.dumps(answer)


def _column_info(field: pa.Field) -> dict[str, Any]:
    from dynoexport.local.services import hive_types

    kind = hive_types.to_athena(field.type)
    precision, scale = hive_types.digits(field.type)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": field.name,
        "Label": field.name,
        "Type": kind,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": str(field.type) == "string",
    }


def install() -> None:
    """Make moto use the code above. Call it before the first request."""
    models.athena_backends.backend = LocalAthenaBackend
