"""Glue's API where moto lacks an operation, or keeps less of it than running needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult
from moto.glue.exceptions import EntityNotFoundException
from moto.glue.responses import GlueResponse

if TYPE_CHECKING:
    from dynoexport.local.glue import LocalGlueBackend

Json = dict[str, Any]


class LocalGlueResponse(GlueResponse):
    """The operations whose state ``LocalGlueBackend`` keeps."""

    @property
    def _backend(self) -> LocalGlueBackend:
        backend: Any = self.glue_backend
        return backend  # type: ignore[no-any-return]

    def create_job(self) -> ActionResult:
        name = self.parameters["Name"]
        self._backend.put_job(name, self.parameters)
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
        self._backend.put_crawler(self.parameters["Name"], self._crawler_options())
        return EmptyResult()

    def update_crawler(self) -> ActionResult:
        self._backend.get_crawler(self.parameters["Name"])
        self._backend.put_crawler(self.parameters["Name"], self._crawler_options())
        return EmptyResult()

    def _crawler_options(self) -> Json:
        """The API's options as CloudFormation's, which differ in the schedule's form."""
        options = dict(self.parameters)
        if options.get("Schedule"):
            options["Schedule"] = {"ScheduleExpression": options["Schedule"]}
        return options

    def update_trigger(self) -> ActionResult:
        name = self.parameters["Name"]
        return ActionResult(
            {"Trigger": self._backend.update_trigger(name, self.parameters["TriggerUpdate"])}
        )

    def create_classifier(self) -> ActionResult:
        self._backend.put_classifier(self.parameters)
        return EmptyResult()

    def get_classifier(self) -> ActionResult:
        name = self.parameters["Name"]
        if name not in self._backend.classifiers:
            raise EntityNotFoundException(f"Classifier {name} not found")
        return ActionResult({"Classifier": self._backend.classifiers[name]})

    def delete_classifier(self) -> ActionResult:
        self._backend.delete_classifier(self.parameters["Name"])
        return EmptyResult()
