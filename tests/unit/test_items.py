"""Items from JSON lines."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.local import items
from dynoexport.local.items import ItemsRefused, Key

KEY = Key("id")


def read(*lines: str, key: Key = KEY) -> list[items.Item]:
    return list(items.read(lines, key))


def test_plain_json_becomes_typed_attributes() -> None:
    """Each JSON type maps to the DynamoDB type that holds it."""
    line = '{"id": "a", "n": 5, "d": 1.5, "b": true, "x": null, "l": [1, "s"], "m": {"k": "v"}}'
    assert read(line) == [
        {
            "id": {"S": "a"},
            "n": {"N": "5"},
            "d": {"N": "1.5"},
            "b": {"BOOL": True},
            "x": {"NULL": True},
            "l": {"L": [{"N": "1"}, {"S": "s"}]},
            "m": {"M": {"k": {"S": "v"}}},
        }
    ]


def test_numbers_keep_all_38_digits() -> None:
    """No number goes through a float."""
    digits = "0.12345678901234567890123456789012345678"
    assert read(f'{{"id": "a", "n": {digits}}}')[0]["n"] == {"N": digits}


def test_dynamodb_json_is_taken_as_it_is() -> None:
    """Binary is base64 in the file and bytes in the item, nested too."""
    encoded = base64.b64encode(b"\x00\xff").decode()
    line = json.dumps({"id": {"S": "a"}, "l": {"L": [{"B": encoded}]}, "s": {"NS": ["1", "2"]}})
    assert read(line) == [
        {"id": {"S": "a"}, "l": {"L": [{"B": b"\x00\xff"}]}, "s": {"NS": ["1", "2"]}}
    ]


def test_the_wrapper_of_dynamodbs_own_exports_is_taken_off() -> None:
    """DynamoDB's export to S3 writes {"Item": {...}}."""
    assert read('{"Item": {"id": {"S": "a"}}}') == [{"id": {"S": "a"}}]


def test_empty_lines_are_passed_over() -> None:
    """A trailing line break is no item."""
    assert len(read('{"id": "a"}', "", "  \n", '{"id": "b"}')) == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1 is not a JSON object"),
        ('{"other": 1}', "line 1: the key attribute 'id' is missing"),
        ('{"id": true}', "line 1: the key attribute 'id' is BOOL"),
        ('{"id": "a", "n": 1e200}', "line 1 is not an item"),
        ('{"id": {"B": "not base64!"}}', "line 1 is not an item"),
        ('{"id": {"S": "a"}, "n": {"N": "x"}}', "line 1 is not an item"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str) -> None:
    """The line's number and the fault are printed, nothing is guessed."""
    with pytest.raises(ItemsRefused) as refused:
        read(line)
    assert refused.value.what.startswith(message)


def test_a_key_attribute_has_one_type() -> None:
    """DynamoDB would refuse the second item."""
    with pytest.raises(ItemsRefused, match="line 2: key attribute 'id' is N here, S before"):
        read('{"id": "a"}', '{"id": 1}')


@pytest.mark.parametrize(
    ("text", "key"), [("User", Key("User")), ("User:Book", Key("User", "Book"))]
)
def test_key_forms(text: str, key: Key) -> None:
    """HASH and HASH:RANGE."""
    assert items.parse_key(text) == key


@pytest.mark.parametrize("text", ["", ":", "a:", ":b", "a:b:c"])
def test_other_key_forms_are_refused(text: str) -> None:
    """Everything else is a mistake."""
    with pytest.raises(ItemsRefused, match="is not a key"):
        items.parse_key(text)


def test_key_types_follow_the_items() -> None:
    """The table is created with the types its items have."""
    found = read('{"u": "a", "n": 1}', key=Key("u", "n"))
    assert items.key_types(found, Key("u", "n")) == {"u": "S", "n": "N"}


# Outside single-key objects named like a type code plain JSON is never taken for DynamoDB JSON.
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=3), plain, max_size=4))
def test_plain_json_survives(attributes: dict[str, object]) -> None:
    """What boto3 reads back from an item equals the JSON it came from."""
    (item,) = read(json.dumps({**attributes, "id": "a"}))
    deserializer = TypeDeserializer()
    back = {name: deserializer.deserialize(value) for name, value in item.items()}
    expected = json.loads(json.dumps({**attributes, "id": "a"}), parse_int=Decimal)
    assert back == expected
