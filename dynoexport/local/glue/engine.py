"""Glue on the endpoint: moto keeps the state, and this module runs it."""

from __future__ import annotations

import itertools
import threading
import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from moto.glue import models, urls
from moto.glue.exceptions import (
    AlreadyExistsException,
    ConcurrentRunsExceededException,
    CrawlerNotRunningException,
    CrawlerRunningException,
    EntityNotFoundException,
    GlueClientError,
    InvalidInputException,
    JobRunNotFoundException,
)
from moto.glue.responses import GlueResponse
from moto.glue.utils import Action, Predicate

from dynoexport import limits
from dynoexport.local import context
from dynoexport.local.glue import events, jobs, processes, workflows
from dynoexport.local.glue.executions import LOG_GROUP, Crawl, Execution, build_graph, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from moto.core.resource_tagging import TaggedResource

    from dynoexport.local.context import Endpoint
    from dynoexport.local.glue.jobs import JobRun
    from dynoexport.local.glue.workflows import Node

Json = dict[str, Any]


class ConcurrentModification(GlueClientError):
    """Another writer has changed the resource."""

    def __init__(self, message: str) -> None:
        super().__init__("ConcurrentModificationException", message)


class LocalCrawler(models.FakeCrawler):
    """A crawler whose state is that of its last real crawl."""

    def as_dict(self) -> Json:
        backend: Any = self.backend
        crawls: list[Crawl] = backend.crawls.get(self.name, [])
        running = any(crawl.completed is None for crawl in crawls)
        answer: Json = {**super().as_dict(), "State": "RUNNING" if running else "READY"}
        ended = [crawl for crawl in crawls if crawl.completed is not None]
        if ended:
            answer["LastCrawl"] = ended[-1].as_last()
        return answer


class LocalGlueBackend(models.GlueBackend):
    """Runs jobs, crawlers and workflows as Glue does.

    Attributes:
        responses: the class that answers requests; ``api`` sets it.
    """

    responses: ClassVar[type[GlueResponse]] = GlueResponse

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.classifiers: dict[str, Json] = {}
        self.job_definitions: dict[str, Json] = {}
        self.runs_of_jobs: dict[str, list[JobRun]] = {}
        self.crawls: dict[str, list[Crawl]] = {}
        self.executions: dict[str, Execution] = {}
        self._began: dict[str, tuple[JobRun, datetime]] = {}
        self._lock = threading.RLock()

    @property
    def _url_module(self) -> Any:
        """The service's URLs, which moto expects in a module next to the backend's."""
        paths = {"{0}/$": self.responses.dispatch}
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """The tags of this moment: while they are read, another request may tag something."""
        tagger = SimpleNamespace(tags=dict(self.tagger.tags))
        backend: Any = SimpleNamespace(tagger=tagger)
        return models.GlueBackend.iter_tagged_resources(backend)

    # --- tables ---------------------------------------------------------------------------------
    def update_table(
        self,
        database_name: str,
        table_name: str,
        table_input: Json,
        version_id: str | None = None,
        *,
        skip_archive: bool = False,
    ) -> None:
        """UpdateTable: with a version, of two writers who have read it only the first succeeds.

        https://iceberg.apache.org/docs/latest/aws/#optimistic-locking
        https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html

        Raises:
            ConcurrentModification: the table has another version by now.
        """
        with self._lock:
            table = self.get_table(database_name, table_name)
            current = table.as_dict()["VersionId"]
            if version_id not in {None, current}:
                raise ConcurrentModification("Update table failed due to concurrent modifications.")
            table.update(table_input)
            if skip_archive:
                del table.versions[current]

    # --- triggers -------------------------------------------------------------------------------
    def create_trigger(self, **options: Any) -> None:  # type: ignore[override]
        candidate = models.FakeTrigger(backend=self, **options).as_dict()
        with self._lock:
            _refuse_existing("Trigger", options["name"], self.triggers)
            self._refuse(candidate)
            super().create_trigger(**options)

    def update_trigger(self, name: str, changes: Json) -> Json:
        """UpdateTrigger changes the trigger in place; its state stays."""
        trigger = self.get_trigger(name)
        candidate = {**trigger.as_dict(), **changes}
        self._refuse(candidate)
        trigger.description = candidate.get("Description", "")
        trigger.schedule = candidate.get("Schedule", "")
        trigger.actions = [Action(action) for action in candidate["Actions"]]
        if candidate.get("Predicate"):
            trigger.predicate = Predicate(candidate["Predicate"])
        return trigger.as_dict()

    def _refuse(self, candidate: Json) -> None:
        reason = workflows.refusal(candidate, self._triggers_of(candidate.get("WorkflowName", "")))
        if reason is not None:
            raise InvalidInputException("CreateTrigger", reason)

    def _triggers_of(self, workflow: str) -> list[Json]:
        # An account may have a thousand: only the requested ones are rendered.
        own = [
            trigger for trigger in list(self.triggers.values()) if trigger.workflow_name == workflow
        ]
        return [trigger.as_dict() for trigger in own]

    # --- jobs -----------------------------------------------------------------------------------
    def add_job(self, name: str, options: Json) -> None:
        """Create a job.

        Raises:
            AlreadyExistsException: there is one of that name.
            InvalidInputException: AWS no longer creates jobs with this Glue version.
        """
        with self._lock:
            _refuse_existing("Job", name, self.jobs)
            self.put_job(name, options)

    def put_job(self, name: str, options: Json) -> None:
        """Create a job, or replace its definition; its runs stay.

        Raises:
            InvalidInputException: AWS no longer creates jobs with this Glue version.
        """
        version = str(options.get("GlueVersion", ""))
        if options["Command"]["Name"] == processes.SPARK and version in limits.GLUE_END_OF_LIFE:
            raise InvalidInputException("CreateJob", f"Glue version {version} is not supported")
        self.job_definitions[name] = options
        # A job that is deployed will probably run soon.
        processes.reserve.fill(options["Command"]["Name"])
        execution = {key: int(value) for key, value in options.get("ExecutionProperty", {}).items()}
        super().create_job(
            name=name,
            role=options["Role"],
            command=options["Command"],
            description=options.get("Description", ""),
            log_uri=options.get("LogUri", ""),
            execution_property=execution,
            default_arguments=options.get("DefaultArguments", {}),
            non_overridable_arguments=options.get("NonOverridableArguments", {}),
            connections=options.get("Connections", {}),
            max_retries=int(options.get("MaxRetries", 0)),
            allocated_capacity=int(jobs.capacity(options)),
            timeout=int(options.get("Timeout", 2880)),
            max_capacity=jobs.capacity(options),
            security_configuration=options.get("SecurityConfiguration", ""),
            tags=options.get("Tags", {}),
            notification_property=options.get("NotificationProperty", {}),
            glue_version=options.get("GlueVersion", ""),
            number_of_workers=int(options.get("NumberOfWorkers", 0)),
            worker_type=options.get("WorkerType", ""),
            code_gen_configuration_nodes={},
            execution_class=options.get("ExecutionClass", ""),
            source_control_details={},
        )

    def delete_job(self, name: str) -> None:
        """Delete a job with its tags, which moto would still list."""
        super().delete_job(name)
        arn = f"arn:aws:glue:{self.region_name}:{self.account_id}:job/{name}"
        self.tagger.delete_all_tags_for_resource(arn)

    def start_job_run(self, name: str, arguments: dict[str, str] | None, *_: Any) -> str:
        """StartJobRun, outside any workflow."""
        self.get_job(name)
        return self._start_job(name, arguments or {}, lambda _: None).run_id

    def get_job_run(self, name: str, run_id: str) -> Any:
        self.get_job(name)
        for run in self.runs_of_jobs.get(name, []):
            if run.run_id == run_id:
                return run
        raise JobRunNotFoundException(run_id)

    def get_job_runs(self, job_name: str, **_: Any) -> Any:  # type: ignore[override]
        self.get_job(job_name)
        return list(reversed(self.runs_of_jobs.get(job_name, []))), None

    def stop_job_run(self, run: JobRun) -> None:
        run.stop()

    def _start_job(
        self,
        name: str,
        arguments: dict[str, str],
        ended: Callable[[JobRun], None],
        *,
        trigger: str | None = None,
        seen: list[JobRun] | None = None,
    ) -> JobRun:
        with self._lock:
            runs = self.runs_of_jobs.setdefault(name, [])
            allowed = self.get_job(name).execution_property.get("MaxConcurrentRuns", 1)
            if sum(run.completed is None for run in runs) >= allowed:
                raise ConcurrentRunsExceededException("Concurrent runs exceeded for " + name)
            run = self._attempt(name, arguments, f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}", 0)
            run.trigger_name = trigger
            runs.append(run)
            if seen is not None:
                seen.append(run)
        context.in_background(self._run_job, run, ended, seen)
        return run

    def _attempt(self, name: str, arguments: dict[str, str], run_id: str, number: int) -> JobRun:
        # A workflow may name a job that does not exist.
        definition = self.job_definitions.get(name, {"Command": {"Name": "glueetl"}})
        values = {**definition.get("DefaultArguments", {}), **arguments}
        # AWS documents them for Spark jobs only:
        # https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-crawler-pyspark-extensions-get-resolved-options.html
        if definition["Command"]["Name"] == processes.SPARK:
            values |= {"--JOB_NAME": name, "--JOB_RUN_ID": run_id, "--JOB_ID": f"j_{name}"}
        return jobs.JobRun(
            run_id, name, definition, {key: str(value) for key, value in values.items()}, number
        )

    def _run_job(
        self, run: JobRun, ended: Callable[[JobRun], None], seen: list[JobRun] | None
    ) -> None:
        self._execute(run)
        # "Jobs that reach the timeout limit are not restarted":
        # https://docs.aws.amazon.com/glue/latest/dg/add-job.html
        retries = int(run.definition.get("MaxRetries", 0))
        while run.state == "FAILED" and run.attempt < retries:
            first = run.run_id.split("_attempt_")[0]
            number = run.attempt + 1
            again = self._attempt(run.job_name, run.arguments, f"{first}_attempt_{number}", number)
            again.previous_run_id, again.trigger_name = run.run_id, run.trigger_name
            with self._lock:
                if run.stopping:
                    break
                self.runs_of_jobs[run.job_name].append(again)
                if seen is not None:
                    seen.append(again)
            run = again
            self._execute(run)
        ended(run)

    def _execute(self, run: JobRun) -> None:
        endpoint = context.endpoint(self.region_name)
        # By the endpoint's clock, which the run itself does not know.
        self._began[run.run_id] = (run, endpoint.now())
        named = run.definition.get("Connections", {}).get("Connections", [])
        missing = [name for name in named if name not in self.connections]
        if missing:
            jobs.refuse(run, f"Connection {missing[0]} not found")
        else:
            jobs.execute(endpoint, run)
        self._began.pop(run.run_id, None)
        events.job_ended(run)

    def report_delays(self) -> None:
        """Send one event for each attempt that runs for longer than its job's NotifyDelayAfter."""
        now = context.endpoint().now()
        for run, began in list(self._began.values()):
            minutes = int(run.definition.get("NotificationProperty", {}).get("NotifyDelayAfter", 0))
            if minutes and now - began >= timedelta(minutes=minutes):
                self._began.pop(run.run_id, None)
                events.job_delayed(run, minutes=minutes)

    # --- crawlers -------------------------------------------------------------------------------
    def add_crawler(self, name: str, options: Json) -> None:
        """Create a crawler.

        Raises:
            AlreadyExistsException: there is one of that name.
        """
        with self._lock:
            _refuse_existing("Crawler", name, self.crawlers)
            self.put_crawler(name, options)

    def put_crawler(self, name: str, options: Json) -> None:
        """Create a crawler or replace its definition, which Glue refuses while it runs."""
        if self._crawling(name):
            raise InvalidInputException(
                "UpdateCrawler",
                "Cannot update Crawler while running. Please stop crawl or wait until it "
                "completes to update.",
            )
        self.crawlers[name] = LocalCrawler(
            name=name,
            role=options["Role"],
            database_name=options.get("DatabaseName", ""),
            description=options.get("Description", ""),
            targets=options["Targets"],
            schedule=options.get("Schedule", {}).get("ScheduleExpression", ""),
            classifiers=options.get("Classifiers", []),
            table_prefix=options.get("TablePrefix", ""),
            schema_change_policy=options.get("SchemaChangePolicy", {}),
            recrawl_policy=options.get("RecrawlPolicy", {}),
            lineage_configuration={},
            configuration=options.get("Configuration", ""),
            crawler_security_configuration=options.get("CrawlerSecurityConfiguration", ""),
            tags=options.get("Tags", {}),
            backend=self,
        )

    def _crawling(self, name: str) -> bool:
        return any(crawl.completed is None for crawl in self.crawls.get(name, []))

    def start_crawler(self, name: str) -> None:
        self._start_crawl(name, lambda _: None)

    def stop_crawler(self, name: str) -> None:
        if not self._crawling(name):
            raise CrawlerNotRunningException(f"Crawler with name {name} isn't running")
        self.crawls[name][-1].cancelled = True

    def _start_crawl(self, name: str, ended: Callable[[Crawl], None]) -> Crawl:
        self.get_crawler(name)
        with self._lock:
            if self._crawling(name):
                raise CrawlerRunningException(f"Crawler with name {name} has already started")
            crawl = Crawl(name)
            self.crawls.setdefault(name, []).append(crawl)
        context.in_background(self._run_crawl, crawl, ended)
        return crawl

    def _run_crawl(self, crawl: Crawl, ended: Callable[[Crawl], None]) -> None:
        events.crawl_changed(crawl)
        try:
            self._crawl(crawl, context.endpoint(self.region_name))
            state = "CANCELLED" if crawl.cancelled else "SUCCEEDED"
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the crawl has failed
            state, crawl.error = "FAILED", jobs.one_line(error)
        crawl.completed = now()
        crawl.state = state
        events.crawl_changed(crawl)
        ended(crawl)

    def _crawl(self, crawl: Crawl, endpoint: Endpoint) -> None:
        # Arrow: ``late_imports`` imports it while a job starts.
        from dynoexport.local.glue import crawler

        name = crawl.crawler
        credentials = jobs.assume(
            endpoint, self.crawlers[name].role, "AWSGlueCrawler", source=f"crawler/{name}"
        )
        log = jobs.Log(endpoint, LOG_GROUP, name, credentials)

        def log_line(level: str, text: str) -> None:
            # The format of a real crawler; all crawls share a stream, and the ID marks their lines.
            log.write(f"[{crawl.crawl_id}] {level} : {text}")

        log_line("BENCHMARK", f"Running Start Crawl for Crawler {name}")
        try:
            crawler.crawl(
                name,
                glue=endpoint.client("glue", credentials),
                s3=endpoint.client("s3", credentials),
                service=endpoint.client("glue"),
            )
        except Exception as error:
            log_line("ERROR", jobs.one_line(error))
            raise
        finally:
            log_line("BENCHMARK", "Crawler has finished running and is in state READY")

    # --- workflows ------------------------------------------------------------------------------
    def create_workflow(self, name: str, *options: Any) -> str:
        with self._lock:
            _refuse_existing("Workflow", name, self.workflows)
            return super().create_workflow(name, *options)

    def describe_workflow(self, name: str, *, graph: bool) -> Json:
        """The workflow as GetWorkflow and BatchGetWorkflows answer it.

        Raises:
            EntityNotFoundException: there is none of that name.
        """
        workflow = self.workflows.get(name)
        if workflow is None:
            raise EntityNotFoundException("Entity not found")
        triggers = self._triggers_of(name)
        answer = workflow.as_dict()
        if graph:
            answer["Graph"] = build_graph(triggers)
        if workflow.runs:
            answer["LastRun"] = self._described(
                next(reversed(workflow.runs)), triggers, graph=graph
            )
        return answer

    def workflow_runs(self, name: str, *, graph: bool) -> list[Json]:
        """The workflow's runs, newest first."""
        self.describe_workflow(name, graph=False)
        triggers = self._triggers_of(name)
        with self._lock:
            runs = list(reversed(self.workflows[name].runs))
            return [self._described(run_id, triggers, graph=graph) for run_id in runs]

    def _described(self, run_id: str, triggers: list[Json], *, graph: bool) -> Json:
        answer = self.executions[run_id].as_dict(triggers)
        return answer if graph else {key: answer[key] for key in answer if key != "Graph"}

    def start_workflow_run(self, workflow_name: str, properties: dict[str, str] | None) -> str:
        workflow = self.workflows.get(workflow_name)
        if workflow is None:
            raise EntityNotFoundException("Entity not found")
        with self._lock:
            running = sum(run.status in {"RUNNING", "STOPPING"} for run in workflow.runs.values())
            run_id = workflow.start_run(properties)
            record = workflow.get_run(run_id)
            record.properties = {key: str(value) for key, value in record.properties.items()}
            run = self.executions[run_id] = Execution(record)
            allowed = int(workflow.max_concurrent_runs or 0)
            if allowed and running >= allowed:
                run.refuse(f"Concurrent runs exceeded for workflow: {workflow_name}")
                return run_id
            start = workflows.start_trigger(self._triggers_of(workflow_name))
            if start is not None:
                self._fire(run, start)
            self._advance(run)
        return run_id

    def _fire(self, run: Execution, trigger: Json) -> None:
        run.fired.add(trigger["Name"])
        for action in trigger["Actions"]:
            node = workflows.read_node(action)
            try:
                self._start_node(run, node, action, trigger["Name"])
            except GlueClientError as error:
                self._error(run, node, error.message)

    def _prepare_after(self, run: Execution, node: Node) -> None:
        """Let a process wait for each job that can follow the node."""
        for follower in workflows.followers(self._triggers_of(run.record.workflow_name), node):
            definition = self.job_definitions.get(follower.name)
            if follower.kind == "JOB" and definition is not None:
                processes.reserve.fill(definition["Command"]["Name"])

    def _start_node(self, run: Execution, node: Node, action: Json, trigger: str) -> None:
        if node.kind == "CRAWLER":
            crawl = self._start_crawl(node.name, lambda crawl: self._ended(run, node, crawl.state))
            run.crawls.setdefault(node.name, []).append(crawl)
            return
        arguments = {
            **action.get("Arguments", {}),
            "--WORKFLOW_NAME": run.record.workflow_name,
            "--WORKFLOW_RUN_ID": run.record.run_id,
        }
        seen = run.jobs.setdefault(node.name, [])
        self._start_job(
            node.name,
            arguments,
            lambda last: self._ended(run, node, last.state),
            trigger=trigger,
            seen=seen,
        )
        self._prepare_after(run, node)

    def _error(self, run: Execution, node: Node, message: str) -> None:
        """The error of a node that could not be started."""
        if node.kind == "CRAWLER":
            failed = Crawl(node.name, "ERROR", message, completed=now())
            run.crawls.setdefault(node.name, []).append(failed)
        else:
            attempt = self._attempt(node.name, {}, f"jr_{uuid.uuid4().hex}", 0)
            attempt.state, attempt.error, attempt.completed = "ERROR", message, now()
            run.jobs.setdefault(node.name, []).append(attempt)
        run.results[node] = "ERROR"

    def _ended(self, run: Execution, node: Node, state: str) -> None:
        with self._lock:
            run.results[node] = state
            self._advance(run)

    def _advance(self, run: Execution) -> None:
        """Fire the triggers that are due; a run without running nodes has ended."""
        if run.record.status == "RUNNING":
            name = run.record.workflow_name
            due = workflows.due(self._triggers_of(name), run.results, frozenset(run.fired))
            for trigger in list(due):
                self._fire(run, trigger)
        if not run.running and run.record.completed_on is None:
            run.record.completed_on = now()
            stopped = run.record.status == "STOPPING"
            run.record.status = "STOPPED" if stopped else "COMPLETED"

    def stop_workflow_run(self, workflow_name: str, run_id: str) -> None:
        with self._lock:
            run = self._execution(workflow_name, run_id)
            if run.record.status != "RUNNING":
                raise InvalidInputException("StopWorkflowRun", "Workflow run is not running")
            run.record.status = "STOPPING"
            for attempt in itertools.chain.from_iterable(run.jobs.values()):
                self.stop_job_run(attempt)
            for crawl in itertools.chain.from_iterable(run.crawls.values()):
                crawl.cancelled = True
            self._advance(run)

    def _execution(self, workflow_name: str, run_id: str) -> Execution:
        workflow = self.workflows.get(workflow_name)
        if workflow is None or run_id not in workflow.runs:
            raise EntityNotFoundException("Entity not found")
        return self.executions[run_id]

    def get_workflow_run(self, workflow_name: str, run_id: str) -> Json:
        with self._lock:
            run = self._execution(workflow_name, run_id)
            return run.as_dict(self._triggers_of(workflow_name))

    def stop_everything(self) -> None:
        """End every process that was started here."""
        for runs in self.runs_of_jobs.values():
            for run in runs:
                self.stop_job_run(run)

    # --- classifiers, which moto does not have -------------------------------------------------
    def add_classifier(self, definition: Json) -> str:
        """Create a classifier and return its name.

        Raises:
            AlreadyExistsException: there is one of that name.
        """
        ((_, classifier),) = definition.items()
        with self._lock:
            _refuse_existing("Classifier", classifier["Name"], self.classifiers)
            return self.put_classifier(definition)

    def put_classifier(self, definition: Json) -> str:
        ((_, classifier),) = definition.items()
        self.classifiers[classifier["Name"]] = definition
        return str(classifier["Name"])

    def delete_classifier(self, name: str) -> None:
        self.classifiers.pop(name, None)


def _refuse_existing(kind: str, name: str, existing: Mapping[str, object]) -> None:
    """Refuse to create it over another one, whoever asks, as each of these operations does.

    https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html#API_CreateJob_Errors
    """
    if name in existing:
        raise AlreadyExistsException(f"{kind} {name}")
