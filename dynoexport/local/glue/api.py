"""The operations of Glue's API that moto lacks, or whose options it does not keep."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.glue import models
from moto.glue.exceptions import EntityNotFoundException
from moto.glue.responses import GlueResponse

from dynoexport.local.glue.engine import LocalGlueBackend

Json = dict[str, Any]

# Glue accepts up to 100 or 1,000. AWS does not document its default.
_ENTRIES_PER_PAGE = 100


class LocalGlueResponse(GlueResponse):
    """The operations whose state ``LocalGlueBackend`` keeps."""

    @property
    def _backend(self) -> LocalGlueBackend:
        backend: Any = self.glue_backend
        return backend  # type: ignore[no-any-return]

    def create_job(self) -> ActionResult:
        name = self.parameters["Name"]
        self._backend.add_job(name, self.parameters)
        return ActionResult({"Name": name})

    def update_job(self) -> ActionResult:
        name = self.parameters["JobName"]
        self._backend.get_job(name)
        self._backend.put_job(name, self.parameters["JobUpdate"])
        return ActionResult({"JobName": name})

    def batch_stop_job_run(self) -> ActionResult:
        name, done = self.parameters["JobName"], []
        for run_id in self.parameters["JobRunIds"]:
            self._backend.stop_job_run(self._backend.get_job_run(name, run_id))
            done.append({"JobName": name, "JobRunId": run_id})
        return ActionResult({"SuccessfulSubmissions": done, "Errors": []})

    def create_crawler(self) -> ActionResult:
        self._backend.add_crawler(self.parameters["Name"], self._crawler_options())
        return EmptyResult()

    def update_crawler(self) -> ActionResult:
        self._backend.get_crawler(self.parameters["Name"])
        self._backend.put_crawler(self.parameters["Name"], self._crawler_options())
        return EmptyResult()

    def _crawler_options(self) -> Json:
        """The API's options in CloudFormation's form: only the schedule differs."""
        options = dict(self.parameters)
        if options.get("Schedule"):
            options["Schedule"] = {"ScheduleExpression": options["Schedule"]}
        return options

    def update_table(self) -> ActionResult:
        table = self.parameters["TableInput"]
        self._backend.update_table(
            self.parameters["DatabaseName"],
            table["Name"],
            table,
            self.parameters.get("VersionId"),
            skip_archive=bool(self.parameters.get("SkipArchive", False)),
        )
        return EmptyResult()

    def update_trigger(self) -> ActionResult:
        name = self.parameters["Name"]
        return ActionResult(
            {"Trigger": self._backend.update_trigger(name, self.parameters["TriggerUpdate"])}
        )

    def get_workflow(self) -> ActionResult:
        graph = bool(self.parameters.get("IncludeGraph", False))
        name = self.parameters["Name"]
        return ActionResult({"Workflow": self._backend.describe_workflow(name, graph=graph)})

    def batch_get_workflows(self) -> ActionResult:
        graph = bool(self.parameters.get("IncludeGraph", False))
        described, missing = [], []
        for name in self.parameters["Names"]:
            try:
                described.append(self._backend.describe_workflow(name, graph=graph))
            except EntityNotFoundException:
                missing.append(name)
        return ActionResult({"Workflows": described, "MissingWorkflows": missing})

    def get_workflow_run(self) -> ActionResult:
        name, run_id = self.parameters["Name"], self.parameters["RunId"]
        run = self._backend.get_workflow_run(name, run_id)
        if not self.parameters.get("IncludeGraph", False):
            del run["Graph"]
        return ActionResult({"Run": run})

    def get_workflow_runs(self) -> ActionResult:
        graph = bool(self.parameters.get("IncludeGraph", False))
        runs = self._backend.workflow_runs(self.parameters["Name"], graph=graph)
        return self._page({"Runs": runs})

    # moto, or the backend that runs jobs, answers these in one page.
    def get_crawlers(self) -> ActionResult:
        return self._page(super().get_crawlers().result)

    def list_crawls(self) -> ActionResult:
        if self.parameters.get("Filters"):
            raise NotImplementedError("ListCrawls with Filters")
        name = self.parameters["CrawlerName"]
        self._backend.get_crawler(name)
        crawls = self._backend.crawls.get(name, [])
        return self._page({"Crawls": [crawl.as_history() for crawl in reversed(crawls)]})

    def get_databases(self) -> ActionResult:
        return self._page(super().get_databases().result)

    def get_job_runs(self) -> ActionResult:
        answer: Any = super().get_job_runs().result
        return self._page({"JobRuns": answer["JobRuns"]})

    def get_partitions(self) -> ActionResult:
        return self._page(super().get_partitions().result)

    def get_table_versions(self) -> ActionResult:
        return self._page(super().get_table_versions().result)

    def get_tables(self) -> ActionResult:
        return self._page(super().get_tables().result)

    def _page(self, answer: Any) -> ActionResult:
        """The entries from the call's token on, with a token if there are more."""
        ((key, entries),) = answer.items()
        start = int(self.parameters.get("NextToken") or 0)
        end = start + int(self.parameters.get("MaxResults") or _ENTRIES_PER_PAGE)
        page = {key: entries[start:end]}
        return ActionResult({**page, "NextToken": str(end)} if end < len(entries) else page)

    def create_classifier(self) -> ActionResult:
        self._backend.add_classifier(self.parameters)
        return EmptyResult()

    def get_classifier(self) -> ActionResult:
        name = self.parameters["Name"]
        if name not in self._backend.classifiers:
            raise EntityNotFoundException(f"Classifier {name} not found")
        return ActionResult({"Classifier": self._backend.classifiers[name]})

    def delete_classifier(self) -> ActionResult:
        self._backend.delete_classifier(self.parameters["Name"])
        return EmptyResult()


def install() -> None:
    """Make moto use the code above. Call it before the first request."""
    LocalGlueBackend.responses = LocalGlueResponse
    models.glue_backends.backend = LocalGlueBackend
