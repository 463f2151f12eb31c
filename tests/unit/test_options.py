"""Options of the table stack: stated once, and checked alike by command and template."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

from deployed import Deployed, parsed
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.cloudformation import options

if TYPE_CHECKING:
    from dynoexport.cloudformation.options.option import Option

TABLE = parsed("table.yaml")
# Beside what a parameter's own list allows: values that rules distinguish.
FREE_TEXT = ["", "0", "0.0", "30", "some text"]


def values_of(parameter: dict[str, Any]) -> list[str]:
    return [*parameter.get("AllowedValues", FREE_TEXT)]


def parameters_in_rules() -> list[str]:
    clauses = (clause for rule in options.RULES for clause in (rule.when, *rule.must))
    return sorted({clause.parameter for clause in clauses})


@given(
    st.fixed_dictionaries(
        {
            name: st.sampled_from(values_of(TABLE["Parameters"][name]))
            for name in parameters_in_rules()
        }
    )
)
def test_the_command_refuses_what_the_templates_rules_refuse(parameters: dict[str, str]) -> None:
    stack = Deployed(TABLE, {"TableName": "Orders", **parameters})
    refused = {
        name
        for name, rule in TABLE["Rules"].items()
        if stack.resolve(rule["RuleCondition"])
        if not all(stack.resolve(assertion["Assert"]) for assertion in rule["Assertions"])
    }
    assert {rule.name for rule in options.broken_rules(parameters)} == refused


def test_defaults_break_no_rule() -> None:
    assert list(options.broken_rules({})) == []


def test_every_parameter_belongs_to_one_option() -> None:
    titles = [field.parameter.title for option in options.OPTIONS for field in option.fields]
    assert titles == list(TABLE["Parameters"])


def test_every_condition_is_an_options_and_is_used() -> None:
    stated = [name for option in options.OPTIONS for name in option.conditions]
    assert stated == list(TABLE["Conditions"])
    text = str(TABLE["Resources"]) + str(TABLE["Outputs"])
    assert [name for name in stated if f"'{name}'" not in text] == []


def test_each_heading_of_the_form_appears_once() -> None:
    headings = [label for label, _ in itertools.groupby(option.group for option in options.OPTIONS)]
    assert len(headings) == len(set(headings))


def test_no_two_options_decide_about_one_property() -> None:
    def decided(option: Option) -> list[tuple[str, str]]:
        return [(node, name) for node, added in option.properties.items() for name in added]

    stated = Counter(itertools.chain.from_iterable(map(decided, options.OPTIONS)))
    assert [name for name, times in stated.items() if times > 1] == []
