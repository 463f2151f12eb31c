"""Deploy a stack on the endpoint, in CloudFormation's order.

Create and update each resource after those that it depends on. Create a replacement before the old
resource is deleted. Delete last, in reverse order. The first failure restores the former state.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.cloudformation import models, parsing
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.core.exceptions import JsonRESTError, ServiceException

from dynoexport.local.cloudformation import handlers, imports
from dynoexport.local.cloudformation.stack_changes import active, deletion_order, in_order, resolved
from dynoexport.local.iam import authorization_middleware, identities
from dynoexport.local.iam.api_actions import Place, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.cloudformation.models import ChangeSet, Stack
    from moto.cloudformation.parsing import ResourceMap

Json = dict[str, Any]

# What the services answer for a resource that is deleted already.
_GONE = frozenset(
    {
        "EntityNotFoundException",
        "NoSuchBucket",
        "NoSuchEntity",
        "NotFound",
        "ResourceNotFoundException",
    }
)


class ResourceFailed(Exception):
    """A resource that could not be created, updated or deleted; its event has the reason."""


class Deployment:
    """Bring one stack to a template and parameters.

    ``replaced`` has the resources that a failed deployment replaced. They still exist, and take
    their places again. After ``run`` it has the resources that this deployment replaced.
    ``rolls_back``: the failed deployment created what this one deletes.
    """

    def __init__(
        self,
        stack: Stack,
        template: Json,
        parameters: Mapping[str, Any],
        replaced: Mapping[str, Any] | None = None,
        *,
        rolls_back: bool = False,
    ) -> None:
        self._stack = stack
        self._rolls_back = rolls_back
        self._map: ResourceMap = stack.resource_map
        self._template = template
        self._parameters = dict(parameters)
        self._former = dict(replaced or {})
        self.replaced: dict[str, Any] = {}

    def run(self) -> None:
        """Create, update and delete.

        Raises:
            ResourceFailed: at the first resource that failed; nothing is rolled back here.
        """
        before, backwards = resolved(self._map), deletion_order(self._map)
        self._load()
        wanted = active(self._template, self._map)
        existing = self._map._parsed_resources
        for name in in_order(wanted):
            if name not in existing:
                self._guard(name, wanted[name], "CREATE", lambda name=name: self._map[name])
            elif name in before and self._differs(wanted[name], before[name]):
                old = existing[name]
                self._guard(name, wanted[name], "UPDATE", lambda name=name: self._update(name))
                if existing[name] is not old:
                    self.replaced[name] = old
        removed = {name: existing.pop(name) for name in before if name not in wanted}
        obsolete = {**self.replaced, **removed}
        for name in (candidate for candidate in backwards if candidate in obsolete):
            # A failed deletion has its event, and the update goes on: the resource is left behind.
            with suppress(ResourceFailed):
                self._remove(name, before[name], obsolete[name])

    def _differs(self, wanted: Json, before: Json) -> bool:
        """Whether the service is called: a DeletionPolicy is CloudFormation's own.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
        """
        after = parsing.clean_json(wanted, self._map)
        return any(after.get(key) != before.get(key) for key in ("Type", "Properties"))

    def take_over(self, identified: Mapping[str, str]) -> None:
        """Import the resources with these physical IDs, by logical ID.

        Raises:
            ResourceFailed: at the first that cannot be imported; the stack has none of them.
        """
        before = (self._map._template, self._map._resource_json_map, self._map.input_parameters)
        self._load()
        try:
            for name, physical_id in identified.items():
                step = partial(self._import, name, physical_id)
                self._guard(name, self._template["Resources"][name], "IMPORT", step)
        except ResourceFailed:
            for name in identified:
                self._map._parsed_resources.pop(name, None)
            self._map._template, self._map._resource_json_map, self._map.input_parameters = before
            raise

    def _import(self, name: str, physical_id: str) -> None:
        resource = parsing.clean_json(self._template["Resources"][name], self._map)
        kind, place = resource["Type"], (self._stack.account_id, self._stack.region_name)
        existing = imports.find(kind, physical_id, resource["Properties"], *place)
        if existing is None:
            raise ValidationError(message=f"{kind} {physical_id} does not exist")
        existing.cf_resource_type, existing.logical_resource_id = kind, name
        self._map._parsed_resources[name] = existing

    def remove(self) -> None:
        """Delete every resource that is not to be retained.

        Raises:
            ResourceFailed: at the first resource that failed; the stack still has it.
        """
        resources, existing = resolved(self._map), self._map._parsed_resources
        backwards = deletion_order(self._map)
        try:
            for name in backwards:
                self._remove(name, resources[name], existing[name])
                del existing[name]
        finally:
            # moto creates a resource when it is asked for, if the template has it.
            left = self._map._resource_json_map
            self._map._resource_json_map = {key: left[key] for key in left if key in existing}

    def _load(self) -> None:
        for name in self._map.resolved_parameters:
            self._map._parsed_resources.pop(name, None)
        self._map.resolved_parameters.clear()
        self._map._template = self._template
        self._map._resource_json_map = self._template["Resources"]
        self._map.input_parameters = self._parameters
        self._map.load()

    def _update(self, name: str) -> None:
        if name in self._former:
            self._map._parsed_resources[name] = self._former.pop(name)
            return
        resource = self._template["Resources"][name]
        model = parsing.resource_class_from_type(resource["Type"])
        if hasattr(model.update_from_cloudformation_json, "__isabstractmethod__"):
            raise ValidationError(message=f"the endpoint cannot update {resource['Type']}")
        updated = parsing.parse_and_update_resource(
            name,
            resource,
            self._map,
            account_id=self._stack.account_id,
            region_name=self._stack.region_name,
        )
        self._map._parsed_resources[name] = updated

    def _remove(self, name: str, resource: Json, old: Any) -> None:
        # A rollback deletes what the failed operation created:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
        kept = {"Retain"} if self._rolls_back else {"Retain", "RetainExceptOnCreate"}
        if resource.get("DeletionPolicy") in kept:
            _add_event(self._stack, name, resource["Type"], "DELETE_SKIPPED", physical_id=_id(old))
        else:
            self._guard(name, resource, "DELETE", partial(self._delete, resource, old), old)

    def _delete(self, resource: Json, old: Any) -> None:
        # moto silently keeps a bucket that has objects.
        if resource["Type"] == "AWS::S3::Bucket" and old.keys:
            raise ValidationError(message="The bucket you tried to delete is not empty")
        try:
            self._map._delete_resource(old, resource)
        except (JsonRESTError, ServiceException) as error:
            code = error.error_type if isinstance(error, JsonRESTError) else error.code
            if code not in _GONE:
                raise

    def _guard(
        self, name: str, resource: Json, action: str, step: Any, deleted: Any = None
    ) -> None:
        """Run the step; record its events for the existing resource or the deleted one."""
        kind = resource["Type"]

        def record(status: str, reason: str = "") -> None:
            subject = deleted or self._map._parsed_resources.get(name)
            _add_event(
                self._stack, name, kind, f"{action}_{status}", reason, physical_id=_id(subject)
            )

        record("IN_PROGRESS")
        try:
            self._authorize(name, resource, action, deleted)
            step()
        except (
            JsonRESTError,
            ServiceException,
            KeyError,
            ValueError,
            authorization_middleware.Denied,
        ) as error:
            reason = getattr(error, "message", None) or str(error)
            record("FAILED", reason)
            raise ResourceFailed(
                f"The following resource(s) failed to {action.lower()}: [{name}]."
            ) from error
        record("COMPLETE")

    def _authorize(self, name: str, resource: Json, action: str, deleted: Any) -> None:
        """Check that the deployer may do it: CloudFormation calls services with its permissions.

        Raises:
            Denied: in CloudFormation's words.
        """
        caller = authorization_middleware.current()
        if caller is None:
            return
        step = self._step(name, resource, action.lower(), deleted)
        place = Place(self._stack.account_id, self._stack.region_name)
        try:
            authorization_middleware.authorize(caller, handlers.needs(step, place))
        except authorization_middleware.Denied as error:
            raise authorization_middleware.Denied(
                f'Resource handler returned message: "{error}" (HandlerErrorCode: AccessDenied)'
            ) from error
        except UnknownOperation as error:
            raise authorization_middleware.Denied(
                f"the endpoint does not know what {error} needs"
            ) from error

    def _step(self, name: str, resource: Json, event: str, deleted: Any) -> handlers.Step:
        kind = resource["Type"]
        resolved_one = parsing.clean_json(resource, self._map)
        properties = dict(resolved_one.get("Properties", {}))
        existing = deleted or self._map._parsed_resources.get(name)
        made = _id(existing) or parsing.generate_resource_name(kind, self._stack.name, name)
        if kind == "AWS::SNS::Topic" and not made.startswith("arn:"):
            place = Place(self._stack.account_id, self._stack.region_name)
            made = place.arn("sns", made)
        roles = [made] if kind == "AWS::IAM::Role" else properties.get("Roles", ())
        boundary = properties.get("PermissionsBoundary") or next(
            filter(None, map(identities.boundary, roles)), ""
        )
        return handlers.Step(kind, event, properties, made, str(boundary))


def execute(backend: Any, change_set: ChangeSet) -> None:
    """Execute a change set; on failure the stack is as it was before, as on AWS.

    Raises:
        CloudFormationError: the change set failed, or was executed already.
        ValidationError: something else changes the stack.
    """
    kind = change_set.change_set_type
    with backend.lock:
        stack = _begin(backend, change_set)
    try:
        _change(backend, stack, change_set)
    except BaseException:
        # A fault of the endpoint: the stack is not in progress for ever.
        stack.status = f"{kind}_FAILED"
        raise


def _begin(backend: Any, change_set: ChangeSet) -> Stack:
    """Claim the stack for the change set.

    Its other change sets are deleted "because they aren't valid for the updated stack":
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
    """
    if change_set.execution_status != "AVAILABLE":
        raise CloudFormationError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{change_set.change_set_id}] cannot be executed in its current status of "
            f"[{change_set.status}]",
        )
    stack: Stack | None = backend.stacks.get(change_set.stack_id)
    if stack is None:
        raise ValidationError(change_set.stack_name)
    if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        raise ValidationError(
            message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
        )
    for other in [known for known in backend.change_sets.values() if known.stack is stack]:
        if other is not change_set:
            # A call that has found it already must not execute it.
            other.execution_status = "OBSOLETE"
            del backend.change_sets[other.change_set_id]
    change_set.execution_status = "EXECUTE_IN_PROGRESS"
    stack.status = f"{change_set.change_set_type}_IN_PROGRESS"
    stack._add_stack_event(stack.status, resource_status_reason="User Initiated")
    return stack


def _change(backend: Any, stack: Stack, change_set: ChangeSet) -> None:
    kind = change_set.change_set_type
    before = (stack.template_dict, dict(stack.parameters)) if kind == "UPDATE" else None
    stack.resource_map.cross_stack_resources = backend.exports
    deployment = Deployment(stack, change_set.template_dict, change_set.parameters)
    try:
        if kind == "IMPORT":
            deployment.take_over(change_set.identified)  # type: ignore[attr-defined]
        else:
            deployment.run()
        _finish(stack, change_set)
        _publish_exports(backend, stack)
    except ResourceFailed as failure:
        change_set.execution_status = "EXECUTE_FAILED"
        if kind == "IMPORT":
            _roll_back_import(stack, str(failure))
        else:
            _roll_back(stack, before, deployment.replaced, str(failure))
        return
    stack.status = f"{kind}_COMPLETE"
    stack._add_stack_event(stack.status)


def _publish_exports(backend: Any, stack: Stack) -> None:
    """List the stack's exports, in place of those that it had before."""
    former = [
        name
        for name, export in backend.exports.items()
        if export.exporting_stack_id == stack.stack_id
    ]
    for name in former:
        del backend.exports[name]
    backend.exports.update({export.name: export for export in stack.exports})


def delete(stack: Stack) -> None:
    """Delete a stack's resources, last created first."""
    stack.status = "DELETE_IN_PROGRESS"
    stack._add_stack_event(stack.status, resource_status_reason="User Initiated")
    # moto computes the outputs again on each request.
    stack.output_map = parsing.OutputMap(stack.resource_map, {}, stack.stack_id)
    reason = None
    try:
        Deployment(stack, stack.template_dict or {}, stack.parameters).remove()
    except ResourceFailed as failure:
        stack.status, reason = "DELETE_FAILED", str(failure)
    else:
        stack.status = "DELETE_COMPLETE"
    stack._add_stack_event(stack.status, resource_status_reason=reason)


def _finish(stack: Stack, change_set: ChangeSet) -> None:
    stack.template = change_set.template
    stack.template_dict = change_set.template_dict
    stack.description = change_set.template_dict.get("Description")
    stack.parameters = change_set.parameters
    if change_set.tags is not None:
        stack.tags = change_set.tags
    stack.output_map = stack._create_output_map()
    change_set.execution_status = "EXECUTE_COMPLETE"


def _roll_back(
    stack: Stack,
    before: tuple[Json, dict[str, Any]] | None,
    replaced: Mapping[str, Any],
    reason: str,
) -> None:
    """Return to the former template and parameters, or delete everything."""
    prefix = "ROLLBACK" if before is None else "UPDATE_ROLLBACK"
    stack.status = f"{prefix}_IN_PROGRESS"
    stack._add_stack_event(stack.status, resource_status_reason=reason)
    failed = None
    try:
        if before is None:
            Deployment(stack, {}, {}, rolls_back=True).remove()
        else:
            Deployment(stack, *before, replaced, rolls_back=True).run()
    except ResourceFailed as failure:
        stack.status, failed = f"{prefix}_FAILED", str(failure)
    else:
        stack.status = f"{prefix}_COMPLETE"
    stack._add_stack_event(stack.status, resource_status_reason=failed)


def _roll_back_import(stack: Stack, reason: str) -> None:
    """The stack is as it was before; no resource is changed."""
    for status, why in (
        ("IMPORT_ROLLBACK_IN_PROGRESS", reason),
        ("IMPORT_ROLLBACK_COMPLETE", None),
    ):
        stack.status = status
        stack._add_stack_event(status, resource_status_reason=why)


def _id(resource: Any) -> str:
    return str(getattr(resource, "physical_resource_id", "") or "")


def _add_event(
    stack: Stack, name: str, kind: str, status: str, reason: str = "", *, physical_id: str = ""
) -> None:
    stack.events.append(
        models.Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=name,
            physical_resource_id=physical_id,
            resource_type=kind,
            resource_status=status,
            resource_status_reason=reason or None,
            resource_properties=None,
        )
    )
