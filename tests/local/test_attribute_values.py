"""Attribute values in answers are those of moto's own serializer, byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.core.serialize import BaseJSONSerializer, JSONSerializer
from moto.core.utils import get_service_model

from dynoexport.local.services import dynamodb

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = st.decimals(allow_nan=False, allow_infinity=False).map(str)
TEXTS, BYTES = st.text(max_size=5), st.binary(max_size=5)
# Moto loses an attribute without a name, which DynamoDB does not have.
NAMES = st.text(min_size=1, max_size=5)


def one(code: str, contents: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return contents.map(lambda content: {code: content})


VALUES = st.recursive(
    one("S", TEXTS)
    | one("N", NUMBERS)
    | one("B", BYTES)
    | one("SS", st.lists(TEXTS, max_size=3))
    | one("NS", st.lists(NUMBERS, max_size=3))
    | one("BS", st.lists(BYTES, max_size=3))
    | one("BOOL", st.booleans())
    | one("NULL", st.just(True)),
    lambda values: (
        one("L", st.lists(values, max_size=3))
        | one("M", st.dictionaries(NAMES, values, max_size=3))
    ),
    max_leaves=8,
)
# What moto did before, and what replaces it.
SERIALIZERS = (dynamodb._SERIALIZE_STRUCTURE, dynamodb._serialize_structure)  # noqa: SLF001
ITEMS = st.dictionaries(NAMES, VALUES, max_size=4)


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        ("GetItem", lambda item: {"Item": item}),
        ("Scan", lambda item: {"Items": [item, {}], "LastEvaluatedKey": item, "Count": 2}),
        ("BatchGetItem", lambda item: {"Responses": {"Orders": [item]}}),
        ("TransactGetItems", lambda item: {"Responses": [{"Item": item}]}),
    ],
)
@settings(max_examples=50)
@given(item=ITEMS)
def test_answers_are_those_of_moto(
    operation: str, answer: Callable[[Any], dict[str, Any]], item: Any
) -> None:
    """Ours differs in what it costs alone."""
    bodies = []
    for serialize in SERIALIZERS:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(BaseJSONSerializer, "_serialize_type_structure", serialize)
            model = get_service_model("dynamodb").operation_model(operation)
            bodies.append(JSONSerializer(model).serialize(answer(item))["body"])
    assert bodies[0] == bodies[1]
