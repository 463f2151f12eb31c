"""What the connector may change of an item, against what the local stand-in for it does."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.jobs.schema.connector_losses import count_doubles, find_losses
from dynoexport.jobs.schema.profile import Profile
from dynoexport.local.runtime.awsglue import dynamodb_source

TEXT = {"S": "a"}
LONG = {"N": "12345678901234567890.12"}
DIGITS, LISTS = "numbers of more than 15 digits", "lists of other values than text"


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (TEXT, []),
        ({"BOOL": True}, []),
        ({"N": "12.5"}, []),
        ({"N": "1E+125"}, []),
        ({"N": "-9223372036854775808"}, []),
        (LONG, [DIGITS]),
        ({"N": "9223372036854775809"}, [DIGITS]),
        ({"N": "0.1234567890123456"}, []),
        ({"N": "0.12345678901234567891"}, [DIGITS]),
        ({"NULL": True}, ["only nulls"]),
        ({"B": b"a"}, ["binary values"]),
        ({"SS": ["b", "a"]}, ["sets"]),
        ({"NS": ["1", LONG["N"]]}, [DIGITS, "sets"]),
        ({"BS": [b"a"]}, ["binary values", "sets"]),
        ({"L": [TEXT, TEXT]}, []),
        ({"L": []}, []),
        ({"L": [TEXT, {"NULL": True}]}, ["nulls in lists"]),
        ({"L": [{"N": "1"}]}, [LISTS]),
        ({"L": [{"L": [LONG]}]}, [LISTS, DIGITS]),
        ({"M": {"a": TEXT, "b": {"NULL": True}}}, []),
        ({"M": {"ada@example.org": {"M": {"b": {"L": [{"BOOL": True}]}}}}}, [LISTS]),
    ],
)
def test_values_are_named_by_attribute_and_kind(value: dict[str, Any], kinds: list[str]) -> None:
    """Never by a value, nor by the key of a map, which can be one."""
    assert find_losses([{"a": value, "b": TEXT}], "parquet") == ({"a": kinds} if kinds else {})


@pytest.mark.parametrize("fmt", ["csv", "json", "xml"])
def test_binary_values_are_base64_text_in_text_formats_with_any_reader(fmt: str) -> None:
    assert find_losses([{"a": {"B": b"a"}}], fmt) == {}


def test_an_attribute_that_is_not_always_null_keeps_its_column() -> None:
    assert find_losses([{"a": {"NULL": True}}, {"a": TEXT}], "parquet") == {}


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**25), max_value=10**25)
SCALARS = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=3)),
    st.builds(lambda number: {"N": str(number)}, NUMBERS),
    st.builds(lambda value: {"BOOL": value}, st.booleans()),
    st.builds(lambda content: {"B": content}, st.binary(max_size=3)),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=2), min_size=1, max_size=3)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(lambda each: {"L": each}, st.lists(inner, max_size=3))
        | st.builds(lambda each: {"M": each}, st.dictionaries(st.text(max_size=2), inner))
    ),
    max_leaves=6,
)


def exact(value: dict[str, Any]) -> Any:
    """The value in plain JSON, without any loss."""
    ((code, content),) = value.items()
    if code == "M":
        return {name: exact(each) for name, each in content.items() if "NULL" not in each}
    if code == "L":
        return [exact(each) for each in content]
    if code == "N":
        return Decimal(content)
    return base64.b64encode(content).decode() if code == "B" else content


def arrived(value: Any) -> Any:
    """The stand-in's value with numbers as they are."""
    if isinstance(value, dict):
        return {name: arrived(each) for name, each in value.items()}
    if isinstance(value, list):
        return [arrived(each) for each in value]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Decimal(repr(value)) if is_number else value


@given(st.dictionaries(st.sampled_from("abc"), VALUES))
def test_what_is_not_named_arrives_as_it_is(item: dict[str, dict[str, Any]]) -> None:
    losses = find_losses([item], "json")
    record = dynamodb_source.record(item)
    for name in set(item) - set(losses):
        assert arrived(record[name]) == exact(item[name])


def test_doubles_are_counted_in_lists_and_maps_too() -> None:
    profile = Profile()
    for value in ({"D": "1.5"}, {"N": "1"}, {"L": [{"D": "2.5"}]}, {"M": {"k": {"D": "1e+20"}}}):
        profile.add(value, 200)
    assert count_doubles(profile) == 3
