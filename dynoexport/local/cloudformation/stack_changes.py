"""The resources of a stack, their order, and the effect of a change set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.cloudformation import parsing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moto.cloudformation.models import Stack
    from moto.cloudformation.parsing import ResourceMap

Json = dict[str, Any]


def dependencies(resource: Json, names: frozenset[str]) -> set[str]:
    """The resources that this one names by DependsOn, Ref, GetAtt or Sub."""
    named = set(_mentioned(resource.get("Properties", {}), names))
    stated = resource.get("DependsOn", [])
    return named | set([stated] if isinstance(stated, str) else stated)


def _mentioned(value: Any, names: frozenset[str]) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _mentioned(element, names)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref" and inner in names:
                yield inner
            elif key == "Fn::GetAtt":
                yield inner.split(".")[0] if isinstance(inner, str) else inner[0]
            elif key == "Fn::Sub":
                text = inner if isinstance(inner, str) else inner[0]
                yield from (name for name in re.findall(r"\$\{([^.!}]+)", text) if name in names)
                yield from _mentioned(inner, names)
            else:
                yield from _mentioned(inner, names)


def in_order(resources: Mapping[str, Json]) -> list[str]:
    """The names, each after those that it depends on."""
    names = frozenset(resources)
    ordered: dict[str, None] = {}

    def place(name: str) -> None:
        if name in ordered:
            return
        for needed in sorted(dependencies(resources[name], names) & names):
            place(needed)
        ordered[name] = None

    for name in resources:
        place(name)
    return list(ordered)


def _existing(known: ResourceMap) -> dict[str, Json]:
    """The existing resources, as in their template."""
    return {
        name: resource
        for name, resource in known._resource_json_map.items()
        if name in known._parsed_resources
    }


def resolved(known: ResourceMap) -> dict[str, Json]:
    """The properties of the existing resources, resolved."""
    return {name: parsing.clean_json(value, known) for name, value in _existing(known).items()}


def deletion_order(known: ResourceMap) -> list[str]:
    """The names of the existing resources, each before those that it depends on."""
    # Not from resolved properties: these no longer refer to other resources.
    return in_order(_existing(known))[::-1]


def active(template: Json, known: ResourceMap) -> dict[str, Json]:
    """The template's resources whose conditions hold."""
    conditions = known.lazy_condition_map
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or conditions[resource["Condition"]]
    }


class _Planned:
    """A placeholder for a resource that does not exist yet, where another one refers to it."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    def get_cfn_attribute(self, attribute: str) -> str:
        return f"{self.physical_resource_id}.{attribute}"


def planned(stack: Stack, template: Json, parameters: Mapping[str, Any]) -> list[Json]:
    """The change set's ``ResourceChange`` entries, in the order of deployment."""
    before = resolved(stack.resource_map)
    scratch = _scratch_map(stack, template, parameters)
    wanted_resources = active(template, scratch)
    changes = []
    for name in in_order(wanted_resources):
        kind = wanted_resources[name]["Type"]
        if name not in before:
            scratch._parsed_resources[name] = _Planned(name)
            changes.append(_change("Add", name, kind))
            continue
        wanted = parsing.clean_json(wanted_resources[name], scratch)
        if wanted != before[name]:
            replaced = _is_replaced(kind, before[name], wanted)
            if replaced:
                scratch._parsed_resources[name] = _Planned(name)
            changes.append(_change("Modify", name, kind, "True" if replaced else "False"))
    removed = [name for name in deletion_order(stack.resource_map) if name not in wanted_resources]
    changes.extend(_change("Remove", name, before[name]["Type"]) for name in removed)
    return changes


def _scratch_map(stack: Stack, template: Json, parameters: Mapping[str, Any]) -> ResourceMap:
    scratch = parsing.ResourceMap(
        stack.stack_id,
        stack.name,
        dict(parameters),
        {},
        account_id=stack.account_id,
        region_name=stack.region_name,
        template=template,
        cross_stack_resources=stack.cross_stack_resources,
    )
    scratch.load()
    scratch._parsed_resources.update(
        {
            name: resource
            for name, resource in stack.resource_map._parsed_resources.items()
            if name in stack.resource_map._resource_json_map
        }
    )
    return scratch


def _is_replaced(kind: str, before: Json, wanted: Json) -> bool:
    model = parsing.resource_class_from_type(kind)
    old, new = before.get("Properties", {}), wanted.get("Properties", {})
    properties = (*getattr(model, "REPLACED_BY", ()), model.cloudformation_name_type())
    return any(old.get(name) != new.get(name) for name in properties)


def _change(action: str, name: str, kind: str, replacement: str | None = None) -> Json:
    change = {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
    return change if replacement is None else {**change, "Replacement": replacement}
