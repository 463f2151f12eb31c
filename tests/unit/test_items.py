"""Items from JSON lines."""

from __future__ import annotations

import base64
import codecs
import gzip
import json
from decimal import Decimal
from pathlib import Path

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


def nested(levels: int, opening: str, closing: str) -> str:
    return f'{{"id": "a", "deep": {opening * levels}1{closing * levels}}}'


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"m": ', "}")])
def test_item_has_at_most_32_levels(opening: str, closing: str) -> None:
    assert read(nested(32, opening, closing))
    for levels in (33, 900, 5_000, 100_000):
        with pytest.raises(ItemsRefused, match="line 2 is nested too deeply"):
            read('{"id": "b"}', nested(levels, opening, closing))
    typed = nested(5_000, '{"L": [', "]}").replace("1", '{"N": "1"}')
    with pytest.raises(ItemsRefused, match="line 1 is nested too deeply"):
        read(typed)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": ""}', "line 2: .*cannot contain an empty string value"),
        (json.dumps({"id": "k" * 2_049}), "line 2: .*exceeded the maximum size limit"),
        ('{"id": "b", "n": 1e126}', "line 2 is not an item: Number overflow"),
        ('{"id": {"S": "b"}, "s": {"SS": []}}', "line 2 is not an item: .*may not be empty"),
        ('{"id": {"S": "b"}, "s": {"SS": ["a", "a"]}}', "line 2 is not an item: .*duplicates"),
        ('{"id": "b", "s": "\\ud800"}', "line 2 is not an item"),
        ('{"id": "a", "other": 1}', "line 2 has the key of line 1"),
        (json.dumps({"id": "b", "s": "é" * 205_000}), "line 2 is too large"),
    ],
)
def test_what_dynamodb_refuses_is_refused_with_its_line(line: str, message: str) -> None:
    """The check comes before the deployment."""
    with pytest.raises(ItemsRefused, match=message):
        read('{"id": "a"}', line)


def test_numbers_that_are_equal_are_one_key() -> None:
    with pytest.raises(ItemsRefused, match="line 2 has the key of line 1"):
        read('{"id": 1}', '{"id": 1.0}')


LINES = '{"id": "a"}\n{"id": "é"}\n'


@pytest.mark.parametrize(
    "content",
    [
        LINES.encode(),
        LINES.replace("\n", "\r\n").encode("utf-8-sig"),
        LINES.encode("utf-16"),
        LINES.encode("utf-32"),
        gzip.compress(LINES.encode()),
        gzip.compress(LINES.encode("utf-16")),
    ],
    ids=["UTF-8", "marked UTF-8", "UTF-16", "UTF-32", "gzip", "gzip of UTF-16"],
)
def test_byte_order_marks_and_gzip_are_read(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "items.jsonl"
    file.write_bytes(content)
    assert [item["id"]["S"] for item in items.read_file(file, KEY)] == ["a", "é"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LINES.encode("latin-1"), "line 2 of items.jsonl is not UTF-8"),
        (LINES.encode("utf-16-le"), "line 2 of items.jsonl is not UTF-8"),
        (
            codecs.BOM_UTF16_LE + LINES.encode("utf-16-le")[:-1],
            "line 2 of .* is not UTF-16",
        ),
        (gzip.compress(LINES.encode())[:-9], "items.jsonl cannot be read: "),
        (b"\x1f\x8b nonsense", "items.jsonl cannot be read: "),
        (b"\x00" * 9, "line 1 is not JSON"),
    ],
    ids=["Latin-1", "unmarked UTF-16", "cut UTF-16", "cut gzip", "no gzip", "zeros"],
)
def test_file_that_is_no_text_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "items.jsonl"
    file.write_bytes(content)
    with pytest.raises(ItemsRefused, match=message):
        items.read_file(file, KEY)


@pytest.mark.parametrize("file", ["/dev/zero", "/nonexistent/items", "/"])
def test_a_device_or_a_missing_file_is_refused(file: str) -> None:
    with pytest.raises(ItemsRefused, match=r"^/"):
        items.read_file(Path(file), KEY)


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


@pytest.mark.parametrize("text", ["", ":", "a:", ":b", "a:b:c", "a:a"])
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
