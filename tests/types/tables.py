"""Generated tables of hostile items, as a hypothesis strategy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Item = dict[str, dict[str, Any]]

# Few names, so that items share attributes and attributes collide.
NAMES = st.sampled_from(
    [
        "rating",
        "Rating",
        "RATING",
        "rating__n",
        "first.name",
        "first name",
        "größe",
        "名前",
        "😀",
        "2nd",
        "_2nd",
        "select",
        "order",
        "snapshot_timestamp",
        "other_attributes",
        "`tick`",
        '"quoted"',
        "a,b",
        "a:b<c>",
        "'; DROP TABLE x; --",
        "x" * 255,
        "X" * 255,
        "tab\tand\nline",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "NaN",
            "null",
            "NULL",
            "true",
            "1",
            "-0",
            "Infinity",
            "\\N",
            "a,b",
            'say "x"',
            "line\nbreak",
            "line\r\nbreak\r",
            "back\\slash\\",
            "\\n",
            "\x00\x01\x1f\x7f",
            "\u0085\u2028\u2029\ufeff",
            "\ufffe\uffff",
            "\U0001f469\u200d\U0001f467 \xe9 e\u0301 \u202ertl",
            "{}",
            '{"a": 1}',
            "[1",
            "<a>&amp;</a>]]>",
            "${jndi:ldap://x}",
            "=1+1",
        ]
    ),
)


def plain(number: Decimal) -> str:
    """A number as DynamoDB gives it back: without padding."""
    return f"{number.normalize():f}"


NUMBERS = st.one_of(
    st.integers(-10, 10).map(str),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map(plain),
    st.decimals(
        Decimal("-1E20"), Decimal("1E20"), places=15, allow_nan=False, allow_infinity=False
    ).map(plain),
    st.sampled_from(
        [
            str(2**63),
            str(-(2**63) - 1),
            "0.00000000000000000000000000000000000001",
            "99999999999999999999999999999999999999",
            "1E+125",
            "-9.9999999999999999999999999999999999999E+125",
            "1E-130",
            "0",
        ]
    ),
)
BLOBS = st.binary(max_size=6)


def sets(elements: Any) -> Any:
    return st.lists(elements, min_size=1, max_size=3, unique=True)


def unique_numbers() -> Any:
    return st.lists(NUMBERS, min_size=1, max_size=3, unique_by=Decimal)


SCALARS = st.one_of(
    st.builds(lambda value: {"S": value}, TEXTS),
    st.builds(lambda value: {"N": value}, NUMBERS),
    st.builds(lambda value: {"BOOL": value}, st.booleans()),
    st.builds(lambda value: {"B": value}, BLOBS),
    st.just({"NULL": True}),
)
VALUES = st.recursive(
    st.one_of(
        SCALARS,
        st.builds(lambda value: {"SS": value}, sets(TEXTS)),
        st.builds(lambda value: {"NS": value}, unique_numbers()),
        st.builds(lambda value: {"BS": value}, sets(BLOBS)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda value: {"L": value}, st.lists(inner, max_size=3)),
        st.builds(lambda value: {"M": value}, st.dictionaries(NAMES, inner, max_size=3)),
    ),
    max_leaves=6,
)
# One type for an attribute half of the time, else every column would be text.
KINDS = st.sampled_from(
    [
        st.builds(lambda value: {"N": value}, st.integers(-5, 5).map(str)),
        st.builds(lambda value: {"N": value}, NUMBERS),
        st.builds(lambda value: {"S": value}, TEXTS),
        st.builds(lambda value: {"B": value}, BLOBS),
        st.builds(lambda value: {"BOOL": value}, st.booleans()),
        st.builds(lambda value: {"SS": value}, sets(TEXTS)),
        st.builds(lambda value: {"NS": value}, unique_numbers()),
        st.builds(
            lambda value: {"L": value},
            st.lists(st.builds(lambda value: {"N": value}, NUMBERS), max_size=3),
        ),
        st.builds(
            lambda value: {"M": value},
            st.dictionaries(NAMES, st.builds(lambda value: {"S": value}, TEXTS), max_size=3),
        ),
        VALUES,
        VALUES,
    ]
)


@st.composite
def tables(draw: Any) -> list[Item]:
    """One to eight items, each with an ``id``."""
    attributes = draw(st.lists(NAMES, max_size=6, unique=True))
    kinds = {name: draw(KINDS) for name in attributes}
    items: list[Item] = []
    for number in range(draw(st.integers(1, 8))):
        chosen = [name for name in attributes if draw(st.booleans())]
        item = {name: draw(kinds[name]) for name in chosen}
        items.append({"id": {"S": str(number)}, **item})
    return items


@st.composite
def side_by_side(draw: Any, number: int) -> list[Item]:
    """The items of so many tables; each but the first has attributes that end in its number."""
    items: list[Item] = []
    for table in range(number):
        for item in draw(tables()):
            own = {
                f"{name}.{table}" if table else name: item[name] for name in item if name != "id"
            }
            items.append({"id": {"S": f"{table}-{item['id']['S']}"}, **own})
    return items
