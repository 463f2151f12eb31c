"""Whatever comes from outside: a value, or a refusal in one line; never another exception."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import parsers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynoexport.errors import DynoexportError

if TYPE_CHECKING:
    from collections import Counter

    from parsers import Parser

INPUTS = int(os.environ.get("DYNOEXPORT_INPUTS", "100"))


def lines_of(error: Exception) -> list[str]:
    return [error.what] if isinstance(error, DynoexportError) else [str(error)]


@pytest.mark.parametrize("parser", [*parsers.PACKAGE, *parsers.SCRIPTS], ids=lambda case: case.name)
def test_any_input_gives_a_value_or_a_refusal_in_one_line(
    parser: Parser, inputs: Counter[str]
) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]

    @settings(max_examples=INPUTS, suppress_health_check=checks)
    @given(st.data())
    def parse(data: Any) -> None:
        given_input = data.draw(parser.inputs)
        inputs[parser.name] += 1
        try:
            parser.reads(given_input)
        except parser.refuses as refusal:
            for line in lines_of(refusal):
                assert len(line.splitlines()) <= 1, line

    parse()
