"""An option of the table stack as one value: what a user can set, and its effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from troposphere import And, Equals, Not, Or, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from awacs.aws import PolicyDocument
    from troposphere import AWSHelperFn, AWSObject

    from dynoexport.cloudformation.form import Field
    from dynoexport.iam.reasons import Kept
    from dynoexport.iam.statements import Scope


@dataclass(frozen=True)
class Clause:
    """Whether a parameter has one of the values, or with ``negated`` another one."""

    parameter: str
    values: tuple[str, ...]
    negated: bool = False

    def holds(self, parameters: Mapping[str, str]) -> bool:
        return (parameters[self.parameter] in self.values) is not self.negated

    def to_function(self) -> AWSHelperFn:
        """The same in CloudFormation's terms."""
        any_value = _any([Equals(Ref(self.parameter), value) for value in self.values])
        return Not(any_value) if self.negated else any_value


def is_one_of(parameter: str, *values: str) -> Clause:
    return Clause(parameter, values)


def is_none_of(parameter: str, *values: str) -> Clause:
    return Clause(parameter, values, negated=True)


def _any(conditions: list[AWSHelperFn]) -> AWSHelperFn:
    return conditions[0] if len(conditions) == 1 else Or(*conditions)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What Glue or a job would refuse: if ``when`` holds, every clause of ``must`` has to hold.

    The template asserts it with ``reason`` and ``remedy`` as its description. ``deploy`` and
    ``plan`` check it before any stack changes, and print ``hint`` instead of ``remedy`` if given.
    The hint may contain names of parameters in braces.
    """

    name: str
    when: Clause
    must: tuple[Clause, ...]
    reason: str
    remedy: str
    hint: str = ""

    def allows(self, parameters: Mapping[str, str]) -> bool:
        return not self.when.holds(parameters) or all(
            clause.holds(parameters) for clause in self.must
        )

    def advice(self, parameters: Mapping[str, str]) -> str:
        """What the command advises to do."""
        return (self.hint or self.remedy).format_map({"TableName": "TABLE", **parameters})

    def to_dict(self) -> dict[str, object]:
        """The rule as the template has it.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
        """
        clauses = [clause.to_function() for clause in self.must]
        assertion = {
            "Assert": clauses[0] if len(clauses) == 1 else And(*clauses),
            "AssertDescription": f"{self.reason}: {self.remedy}",
        }
        return {"RuleCondition": self.when.to_function(), "Assertions": [assertion]}


@dataclass(frozen=True, kw_only=True)
class Grant:
    """A policy that roles get while a condition of the template holds.

    It is a resource of its own, because a statement in a list cannot be conditional.

    Attributes:
        when: the condition in words, for docs/permissions.md.
        evidence: what shows that it is needed, if no recorded run does.
        kept: the permissions that no recorded run needed, with their reasons.
    """

    name: str
    roles: tuple[str, ...]
    policy: Callable[[Scope], PolicyDocument]
    condition: str
    when: str
    evidence: str = ""
    kept: tuple[Kept, ...] = ()

    @property
    def title(self) -> str:
        """The logical ID."""
        return f"{self.roles[0]}{self.name}" if len(self.roles) == 1 else self.name


@dataclass(frozen=True)
class Price:
    """What a value changes about the price of the export job.

    Attributes:
        dpu_hour: the key of ``dpu_hour`` in prices.json that applies instead of the Glue version's.
        assumption: a sentence on what the plan cannot know.
    """

    dpu_hour: str
    assumption: str


@dataclass(frozen=True, kw_only=True)
class Option:
    """One subject that users decide about, with everything in the table stack that depends on it.

    Attributes:
        group: the heading in the form of the parameters.
        fields: the parameters, and their rows in docs/parameters.md.
        conditions: the conditions that follow, by name.
        rules: what must not be combined.
        properties: what nodes get, by their name in ``context`` or ``pipeline``.
        arguments: values of job arguments other than the parameter of the same name.
        grants: what roles may also do.
        resources: resources of the option's own.
        prices: what a value of the first parameter changes about the price of a run.
    """

    group: str
    fields: tuple[Field, ...]
    conditions: Mapping[str, AWSHelperFn] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    properties: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    arguments: Mapping[str, AWSHelperFn] = field(default_factory=dict)
    grants: tuple[Grant, ...] = ()
    resources: tuple[AWSObject, ...] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the first parameter."""
        return str(self.fields[0].parameter.title)


def has(parameter: str) -> str:
    """The name of the condition that the parameter is not empty."""
    return f"Has{parameter}"


def has_value(*parameters: str) -> dict[str, AWSHelperFn]:
    """A condition for each parameter: that it is not empty."""
    return {has(name): Not(Equals(Ref(name), "")) for name in parameters}


def for_each(
    nodes: Iterable[str], properties: Mapping[str, object]
) -> dict[str, Mapping[str, object]]:
    """The same properties for each node."""
    return dict.fromkeys(nodes, properties)
