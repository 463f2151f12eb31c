"""The notations of a template: YAML, with the short forms that people read, and JSON.

A function whose argument is a mapping keeps its long form, as AWS's own examples have it: a short
form around another function ("!ImportValue" around "!Sub") is read by CloudFormation, but not by
every other reader of templates.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-importvalue.html
"""

from __future__ import annotations

import itertools
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAP = "tag:yaml.org,2002:map"
# Longer than any line: a folded line is harder to compare and to search.
_WIDTH = 1_000_000
# Characters of a list of plain values in one line.
_SHORT = 140


if TYPE_CHECKING:
    _Fastest = yaml.SafeDumper
else:
    # In C, seven times faster, where PyYAML was built with it. Both write the same.
    _Fastest = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Fastest):
    """Writes every value where it is used, and a short list of plain values in one line."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def choose_scalar_style(self) -> str:
        """No quotes around a function's argument that YAML can read without, as C writes it."""
        style: str = super().choose_scalar_style()
        found, event = self.analysis, self.event
        if style != "'" or found is None or not isinstance(event, yaml.ScalarEvent):
            return style
        plain = found.allow_flow_plain if self.flow_level else found.allow_block_plain
        return "" if plain and str(event.tag).startswith("!") else style

    def represent_sequence(
        self, tag: str, sequence: Iterable[Any], flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        node = super().represent_sequence(tag, sequence, flow_style)
        plain = all(isinstance(value, yaml.ScalarNode) for value in node.value)
        if plain and sum(len(value.value) + 2 for value in node.value) <= _SHORT:
            node.flow_style = True
        return node


def _represent(dumper: _Dumper, value: dict[str, Any]) -> yaml.Node:
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name == "Fn::GetAtt":
            return dumper.represent_scalar("!GetAtt", ".".join(argument))
        if name == "Ref" or name.startswith("Fn::"):
            tag = f"!{name.removeprefix('Fn::')}"
            if isinstance(argument, list):
                return dumper.represent_sequence(tag, argument)
            if isinstance(argument, str):
                return dumper.represent_scalar(tag, argument)
    node = dumper.represent_mapping(_MAP, value.items())
    if list(value) == ["default"]:
        # A label of the console's form.
        node.flow_style = True
    for (_, before), (key, _) in itertools.pairwise(node.value):
        listed = isinstance(before, yaml.SequenceNode) and not before.flow_style
        if listed and key.value.startswith("-"):
            # cdk's parser, yaml 1.10 of npm, takes it for one more element of the list.
            key.style = "'"
    return node


_Dumper.add_representer(dict, _represent)


def to_json(content: Mapping[str, Any]) -> str:
    """The template in JSON, a value a line.

    Not indented: indentation would make the table template too long for CloudFormation without a
    bucket, and the encoder several times slower.
    """
    return json.dumps(content, separators=(",\n", ": ")) + "\n"


def to_yaml(content: Mapping[str, Any]) -> str:
    """The template in YAML, its keys in the order in which they are given."""
    return "".join(_section(name, json.dumps(section)) for name, section in content.items())


@lru_cache(maxsize=64)
def _section(name: str, content: str) -> str:
    """A section in YAML. Its JSON takes a fraction of the time, and decides if it is known."""
    section = {name: json.loads(content)}
    written: str = yaml.dump(
        section, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH
    )
    return written
