"""CloudFormation on the endpoint: what moto lacks for stacks.

moto creates resources from a template and keeps stacks and change sets. It does not check
parameters, only warns about a resource type that it does not know, finds changed resources by
comparing template texts (so that a parameter inside ``Fn::Sub`` or a condition changes nothing),
and never rolls back. Here ``template_checks`` checks every call, and ``deployments`` deploys.
"""

from __future__ import annotations

import copy
import threading
from contextlib import suppress
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import yaml
from moto.cloudformation import models, parsing, urls
from moto.cloudformation.exceptions import (
    AlreadyExistsException,
    CloudFormationError,
    ValidationError,
)
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import yaml_tag_constructor
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.s3.models import s3_backends

from dynoexport import limits
from dynoexport.local.cloudformation import imports, stack_changes
from dynoexport.local.cloudformation.deployments import delete, execute
from dynoexport.local.cloudformation.template_checks import (
    check_body,
    check_capabilities,
    check_length,
    check_template,
    defaults,
    parameter_text,
    summary,
    template_errors,
)
from dynoexport.local.iam.api_actions import object_of_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.cloudformation.models import ChangeSet, Stack
    from moto.cloudformation.parsing import OutputMap, ResourceMap

Json = dict[str, Any]

_moto_condition, _moto_clean_json = parsing.parse_condition, parsing.clean_json
_moto_parse = models.Stack.parse_template


def _condition(condition: Any, resources_map: ResourceMap, condition_map: dict[str, Any]) -> bool:
    """Whether a condition holds; CloudFormation compares texts, moto a number with a text."""
    if isinstance(condition, dict) and "Fn::Equals" in condition:
        first, second = (
            parameter_text(parsing.clean_json(operand, resources_map))
            for operand in condition["Fn::Equals"]
        )
        return first == second
    return _moto_condition(condition, resources_map, condition_map)


def _clean_json(resource_json: Any, resources_map: ResourceMap) -> Any:
    """The value, resolved; AWS::NoValue is no member of a list, where moto leaves None.

    It removes what a condition leaves out:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
    """
    cleaned = _moto_clean_json(resource_json, resources_map)
    if isinstance(resource_json, list):
        return [member for member in cleaned if member is not None]
    return cleaned


def _parse(template: str) -> Json:
    """The template; an attribute as one text, "Role.Arn", is a list, the only form moto knows.

    CloudFormation takes both in both languages, and the CDK writes the text:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getatt.html
    """
    # moto parses a template thrice for a change set, and may change what it gets.
    return copy.deepcopy(_parsed(template))


@lru_cache(maxsize=16)
def _parsed(template: str) -> Json:
    parsed: Json = _with_attributes_as_lists(_moto_parse(template))
    return parsed


def _with_attributes_as_lists(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_attributes_as_lists(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: inner.split(".", 1)
        if key == "Fn::GetAtt" and isinstance(inner, str)
        else _with_attributes_as_lists(inner)
        for key, inner in value.items()
    }


def _parse_change_set(change_set: ChangeSet) -> None:
    change_set.template_dict = _parse(change_set.template)


def _exports(outputs: OutputMap) -> list[parsing.Export]:
    """The exports of outputs that exist; moto also lists those whose condition is false."""
    exports = []
    for name in outputs.outputs:
        output, given = outputs[name], outputs._output_json_map[name].get("Export")
        if output is not None and given:
            exported_as = parsing.clean_json(given["Name"], outputs._resource_map)
            exports.append(parsing.Export(outputs._stack_id, exported_as, output.value))
    return exports


def _imports(stack: Stack, export: str) -> bool:
    """Whether the stack's template, with its parameters, imports the value."""
    names = {
        parsing.clean_json(value, stack.resource_map)
        for value in _import_names(stack.template_dict or {})
    }
    return export in names


def _import_names(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for element in value:
            yield from _import_names(element)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Fn::ImportValue":
                yield inner
            else:
                yield from _import_names(inner)


class _Response(CloudFormationResponse):
    """The API; all calls with a template have the same checks."""

    def _validate_different_update(self, *_: Any) -> None:
        """Do nothing: moto compares texts here, and the backend compares what is deployed."""

    def create_stack(self) -> ActionResult:
        self._check_call("CREATE")
        return super().create_stack()

    def update_stack(self) -> ActionResult:
        self._check_call("UPDATE")
        return super().update_stack()

    def create_change_set(self) -> ActionResult:
        # "By default, CloudFormation specifies UPDATE":
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
        kind = self._get_params().setdefault("ChangeSetType", "UPDATE")
        self._check_call(kind)
        if kind == "IMPORT":
            return self._create_import()
        return super().create_change_set()

    def _create_import(self) -> ActionResult:
        """Moto has no change sets of this type."""
        backend: Any = self.cloudformation_backend
        name = self._get_param("StackName")
        former = backend.former_parameters(name)
        parameters = {
            parameter["ParameterKey"]: former[parameter["ParameterKey"]]
            if parameter.get("UsePreviousValue")
            else parameter["ParameterValue"]
            for parameter in self._get_param("Parameters", [])
        }
        change_set_id, stack_id = backend.create_import(
            self._get_param("ResourcesToImport", []),
            stack_name=name,
            change_set_name=self._get_param("ChangeSetName"),
            template=self._get_param("TemplateBody")
            or self._get_stack_from_s3_url(self._get_param("TemplateURL")),
            parameters=parameters,
            description=self._get_param("Description"),
            tags={tag["Key"]: tag["Value"] for tag in self._get_param("Tags", [])},
            role_arn=self._get_param("RoleARN"),
        )
        return ActionResult({"Id": change_set_id, "StackId": stack_id})

    def get_template_summary(self) -> ActionResult:
        answer = super().get_template_summary()
        if not self._get_param("StackName"):
            found = imports.summaries(self._template().get("Resources", {}))
            answer.result["ResourceIdentifierSummaries"] = found  # type: ignore[index]
        return answer

    def validate_template(self) -> ActionResult:
        """The template's parameters and capabilities; moto refuses it for warnings of cfn-lint."""
        with template_errors():
            return ActionResult(summary(self._template()))

    def _check_call(self, kind: str) -> None:
        with template_errors():
            check_capabilities(self._template(), self._get_param("Capabilities", []))
        self._refuse_unknown_previous_values(kind)

    def _template(self) -> Json:
        body, url = self._get_param("TemplateBody"), self._get_param("TemplateURL")
        if body and url:
            # "Conditional: You must specify only TemplateBody or TemplateURL."
            # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
            raise ValidationError(message="You must specify only TemplateBody or TemplateURL.")
        if body:
            check_body(body)
        elif url:
            body = self._get_stack_from_s3_url(url)
        elif self._get_bool_param("UsePreviousTemplate", False):
            return self.cloudformation_backend.get_stack(self._get_param("StackName")).template_dict
        else:
            raise ValidationError(message="Either Template URL or Template Body must be specified.")
        return models.Stack.parse_template(body)

    def _get_stack_from_s3_url(self, template_url: str) -> str:
        """The object's text; ``authorization_middleware`` has let the caller read it."""
        bucket, key = object_of_url(template_url)
        try:
            stored: Any = s3_backends[self.current_account][self.partition].get_object(bucket, key)
        except ServiceException:
            stored = None
        if stored is None:
            raise ValidationError(message="S3 error: The specified key does not exist.")
        text = str(stored.value.decode())
        check_length(text, "templateURL", limits.TEMPLATE_URL_MAX_BYTES)
        return text

    def _refuse_unknown_previous_values(self, kind: str) -> None:
        """Refuse as AWS does, with its message.

        https://github.com/mapbox/cfn-config/issues/182
        https://github.com/rackerlabs/ebs_snapper/issues/56
        """
        kept = [
            parameter["ParameterKey"]
            for parameter in self._get_param("Parameters", [])
            if parameter.get("UsePreviousValue")
        ]
        if not kept:
            return
        if kind == "CREATE":
            raise ValidationError(
                message="Cannot specify UsePreviousValue on Parameters when ChangeSetType is CREATE"
            )
        stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        for name in kept:
            if name not in stack.stack_parameters:
                raise ValidationError(
                    message=f"Invalid input for parameter key {name}. Cannot specify "
                    "usePreviousValue as true for a parameter key not in the previous template"
                )

    # moto looks for change sets in every stack.
    def list_change_sets(self) -> ActionResult:
        stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
        change_sets = self.cloudformation_backend.list_change_sets()
        return ActionResult(
            {"Summaries": [change_set for change_set in change_sets if change_set.stack is stack]}
        )

    def describe_change_set(self) -> ActionResult:
        return ActionResult(self._change_set())

    def delete_change_set(self) -> ActionResult:
        with suppress(CloudFormationError):
            self.cloudformation_backend.delete_change_set(self._change_set().change_set_id)
        return EmptyResult()

    def _change_set(self) -> ChangeSet:
        backend: Any = self.cloudformation_backend
        change_set: ChangeSet = backend.find_change_set(
            self._get_param("ChangeSetName"), self._get_param("StackName")
        )
        return change_set


class LocalCloudFormationBackend(models.CloudFormationBackend):
    """The stacks and change sets of moto, deployed as above."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        # Of two calls for one stack, the second finds what the first has begun.
        self.lock = threading.RLock()

    @property
    def _url_module(self) -> Any:
        """The service's URLs, which moto expects in a module next to the backend's."""
        paths = {
            pattern: _Response.dispatch if "cfnresponse" not in pattern else handler
            for pattern, handler in urls.url_paths.items()
        }
        return SimpleNamespace(url_bases=urls.url_bases, url_paths=paths)

    def create_stack(  # type: ignore[override]
        self, name: str, template: str, parameters: dict[str, Any], **options: Any
    ) -> Stack:
        """Create and execute a change set.

        Raises:
            AlreadyExistsException: there is a stack of that name, whatever its status.
            ValidationError: the template or a parameter is refused.
        """
        with self.lock:
            if any(stack.name == name for stack in self.stacks.values()):
                raise AlreadyExistsException(f"Stack [{name}] already exists")
            change_set = self._change_set_of_call("CREATE", name, template, parameters, options)
        stack = self.stacks[change_set.stack_id]
        # It was never in review.
        stack.events.clear()
        stack.enable_termination_protection = bool(options.get("enable_termination_protection"))
        stack.timeout_in_minutes = options.get("timeout_in_mins")
        stack.policy = options.get("stack_policy_body") or ""
        execute(self, change_set)
        return stack

    def update_stack(  # type: ignore[override]
        self, name: str, template: str, parameters: list[dict[str, Any]], **options: Any
    ) -> Stack:
        """Create and execute a change set.

        Raises:
            ValidationError: the template or a parameter is refused, or nothing would change.
        """
        stack = self.get_stack(name)
        given = self._resolve_update_parameters(instance=stack, incoming_params=parameters)
        change_set = self._change_set_of_call("UPDATE", stack.name, template, given, options)
        if change_set.status == "FAILED":
            raise ValidationError(message="No updates are to be performed.")
        execute(self, change_set)
        return stack

    def _change_set_of_call(
        self, kind: str, name: str, template: str, parameters: dict[str, Any], options: Json
    ) -> ChangeSet:
        """A change set that the API does not list."""
        change_set_id, _ = self.create_change_set(
            stack_name=name,
            change_set_name="call",
            change_set_type=kind,
            template=template,
            parameters=parameters,
            description="",
            notification_arns=options.get("notification_arns"),
            tags=options.get("tags"),
            role_arn=options.get("role_arn"),
        )
        return self.change_sets.pop(change_set_id)

    def create_change_set(self, **options: Any) -> tuple[str, str]:  # type: ignore[override]
        with self.lock:
            return self._checked_change_set(options)

    def _checked_change_set(self, options: Json) -> tuple[str, str]:
        with template_errors():
            template = models.Stack.parse_template(options["template"])
            # A previous value is a number or a list here, and moto would turn 0.5 into 0.
            given = {name: parameter_text(value) for name, value in options["parameters"].items()}
            check_template(template, given)
            options["parameters"] = {**defaults(template), **given}
        if options["change_set_type"] == "CREATE":
            self._refuse_if_created(options["stack_name"])
        else:
            self._refuse_unless_updatable(options["stack_name"])
        before = set(self.stacks)
        try:
            with template_errors():
                return self._make_change_set(template, options)
        except ValidationError:
            # Nothing is left to be reviewed.
            for stack_id in set(self.stacks) - before:
                del self.stacks[stack_id]
            raise

    def create_import(self, imported: list[Json], **options: Any) -> tuple[str, str]:
        """Make a change set that imports existing resources into a stack, or into a new one.

        Raises:
            ValidationError: the template does more than import, or a resource is not identified.
        """
        with template_errors():
            template = models.Stack.parse_template(options["template"])
            check_template(template, options["parameters"])
            identified = imports.check_request(template, imported)
            options["parameters"] = {**defaults(template), **options["parameters"]}
        stacks = [stack for stack in self.stacks.values() if stack.name == options["stack_name"]]
        is_new = all(stack.status == "REVIEW_IN_PROGRESS" for stack in stacks)
        kind = "CREATE" if is_new else "UPDATE"
        change_set_id, stack_id = self._new_change_set(change_set_type=kind, **options)
        stack, change_set = self.stacks[stack_id], self.change_sets[change_set_id]
        try:
            with template_errors():
                imports.check_template(stack, template, options["parameters"], identified)
        except ValidationError:
            del self.change_sets[change_set_id]
            if not stacks:
                del self.stacks[stack_id]
            raise
        change_set.change_set_type, change_set.identified = "IMPORT", identified  # type: ignore[attr-defined]
        change_set.changes = imports.planned(template, identified)  # type: ignore[assignment]
        change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        reason = imports.obstacle(
            self.stacks.values(), template, identified, self.account_id, self.region_name
        )
        if reason:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = reason
        return change_set_id, stack_id

    def former_parameters(self, name: str) -> Json:
        """The parameters of the stack; empty if it does not exist."""
        found = (stack.stack_parameters for stack in self.stacks.values() if stack.name == name)
        return next(found, {})

    def _make_change_set(self, template: Json, options: Json) -> tuple[str, str]:
        change_set_id, stack_id = self._new_change_set(**options)
        stack, change_set = self.stacks[stack_id], self.change_sets[change_set_id]
        stack.resource_map.cross_stack_resources = self.exports
        stack.cross_stack_resources = self.exports
        if change_set.status != "FAILED":
            change_set.changes = stack_changes.planned(stack, template, options["parameters"])  # type: ignore[assignment]
            self._refuse_if_empty(change_set)
        return change_set_id, stack_id

    def _new_change_set(self, **options: Any) -> tuple[str, str]:
        """A change set; moto makes a second stack of the name if the first waits for its review."""
        waiting = [stack for stack in self.stacks.values() if stack.name == options["stack_name"]]
        change_set_id, stack_id = super().create_change_set(**options)
        for stack in waiting:
            if stack.stack_id != stack_id:
                del self.stacks[stack_id]
                change_set = self.change_sets[change_set_id]
                change_set.stack, change_set.stack_id = stack, stack.stack_id
                return change_set_id, stack.stack_id
        return change_set_id, stack_id

    def _refuse_if_empty(self, change_set: ChangeSet) -> None:
        """Refuse, as AWS does, if no resource and no output differs."""
        stack = self.stacks[change_set.stack_id]
        before, after = stack.template_dict or {}, change_set.template_dict
        same = not change_set.changes and before.get("Outputs") == after.get("Outputs")
        if change_set.change_set_type == "UPDATE" and same:
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.status_reason = (
                "The submitted information didn't contain changes. Submit different information "
                "to create a change set."
            )

    def _refuse_if_created(self, name: str) -> None:
        for stack in self.stacks.values():
            if stack.name == name and stack.status != "REVIEW_IN_PROGRESS":
                raise ValidationError(
                    message=f"Stack [{name}] already exists and cannot be created again with the "
                    f"changeSet [{stack.stack_id}]."
                )

    def _refuse_unless_updatable(self, name: str) -> None:
        """Refuse an update of a stack that was never created, or that something else changes."""
        stack = self.get_stack(name)
        never = stack.status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
        if never or stack.status.endswith("_IN_PROGRESS"):
            raise ValidationError(
                message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
            )

    def delete_stack(self, name_or_stack_id: str) -> None:
        """Delete the resources in reverse order, except retained ones.

        Raises:
            ValidationError: another stack imports one of its exports.
        """
        for stack in list(self.stacks.values()):
            if name_or_stack_id in {stack.name, stack.stack_id}:
                self._refuse_if_imported(stack)
                for export in stack.exports:
                    self.exports.pop(export.name, None)
                delete(stack)
                if stack.status == "DELETE_COMPLETE":
                    self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)

    def _refuse_if_imported(self, stack: Stack) -> None:
        for export in stack.exports:
            for other in self.stacks.values():
                if other is not stack and _imports(other, export.name):
                    raise ValidationError(
                        message=f"Export {export.name} cannot be deleted as it is in use by "
                        f"{other.name}"
                    )

    def execute_change_set(self, change_set_name: str, stack_name: str | None = None) -> None:
        execute(self, self.find_change_set(change_set_name, stack_name))

    def find_change_set(self, name: str, stack_name: str | None) -> ChangeSet:
        """Find it by ID, or by name within its stack: names are unique within a stack only.

        Raises:
            CloudFormationError: there is none.
        """
        for change_set_id, change_set in reversed(self.change_sets.items()):
            if name == change_set_id or (
                name == change_set.change_set_name
                and stack_name in {None, change_set.stack_name, change_set.stack_id}
            ):
                return change_set
        raise CloudFormationError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")


def _stack_resources(stack: Stack) -> list[Any]:
    """The resources that exist; moto lists the template's, and creates those that do not."""
    existing = stack.resource_map._parsed_resources
    return [existing[name] for name in stack.resource_map._resource_json_map if name in existing]


def install() -> None:
    """Make moto use the code above. Call it before the first request."""
    models.Stack.parse_template = staticmethod(_parse)  # type: ignore[method-assign]
    models.ChangeSet._parse_template = _parse_change_set  # type: ignore[method-assign, assignment]
    parsing.OutputMap.exports = property(_exports)  # type: ignore[method-assign, assignment]
    models.Stack.stack_resources = property(_stack_resources)  # type: ignore[method-assign, assignment]
    models.cloudformation_backends.backend = LocalCloudFormationBackend
    parsing.parse_condition = _condition
    parsing.clean_json = _clean_json
    if yaml.__with_libyaml__:
        # moto reads a template again and again, and takes ten times as long in plain Python.
        yaml.add_multi_constructor("", yaml_tag_constructor, yaml.CLoader)
        yaml.Loader = yaml.CLoader  # type: ignore[assignment, misc]
    parsing.get_model_list.cache_clear()
    parsing.get_model_map.cache_clear()
