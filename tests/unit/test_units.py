"""How quantities are written for people, and durations read."""

from __future__ import annotations

import doctest
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport import units
from dynoexport.units import DurationRefused

if TYPE_CHECKING:
    from collections.abc import Callable


def test_examples_in_the_docstrings_are_true() -> None:
    found = doctest.testmod(units)
    assert (found.failed, found.attempted) == (0, 11)


@pytest.mark.parametrize(
    "write",
    [
        units.duration,
        units.size,
        units.count,
        units.number,
        units.percent,
        units.dollars,
        units.price,
    ],
)
def test_an_unknown_value_is_an_empty_text(write: Callable[[None], str]) -> None:
    assert write(None) == ""


# --- durations ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("40s", timedelta(seconds=40)),
        ("90m", timedelta(minutes=90)),
        ("26h", timedelta(hours=26)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("0d", timedelta(0)),
        ("1.5h", timedelta(minutes=90)),
    ],
)
def test_a_number_with_a_unit_is_a_duration(text: str, expected: timedelta) -> None:
    assert units.parse_duration(text) == expected


@pytest.mark.parametrize("text", [" 26h ", "26 h", "26H"])
def test_spaces_and_capitals_do_not_matter(text: str) -> None:
    assert units.parse_duration(text) == timedelta(hours=26)


@pytest.mark.parametrize(
    "text", ["", "26", "h", "-1d", "1y", "1d 2h", "1.h", ".5h", "1e3s", "26h\n1d"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """Also a bare number, which has no unit."""
    with pytest.raises(DurationRefused) as refused:
        units.parse_duration(text)
    assert refused.value.what == f"{text!r} is not a duration"
    assert refused.value.hint == "write for example 90m, 26h or 30d"
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("number", ["9" * 12, "9" * 400])
def test_a_duration_beyond_all_dates_is_refused(number: str) -> None:
    """More days than Python counts, and more than a float holds."""
    with pytest.raises(DurationRefused):
        units.parse_duration(f"{number}d")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.42, "0.4 s"),
        (21.6, "21.6 s"),
        (45, "45 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (125.4, "2 min 05 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.6, "1 h"),
        (3_659, "1 h"),
        (11_100, "3 h 05 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (93_900, "1 d 2 h"),
        (1_000 * 86_400, "1,000 d"),
        (-5, "0 s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text
    assert units.duration(timedelta(seconds=seconds)) == text


@given(st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=36_500)))
def test_a_written_duration_is_within_the_smaller_unit(value: timedelta) -> None:
    """A second, a minute or an hour, after whole seconds."""
    parts = re.findall(r"([\d,]+) ([a-z])", units.duration(value))
    read = (units.parse_duration(f"{number.replace(',', '')}{unit}") for number, unit in parts)
    lost = value - sum(read, timedelta(0))
    assert timedelta(seconds=-0.5) <= lost < timedelta(hours=1, seconds=0.5)


# --- sizes, counts, quantities --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (5 * 1024**4, "5.0 TiB"),
        (2_000 * 1024**5, "2,000.0 PiB"),
        (-1536, "-1.5 KiB"),
    ],
)
def test_a_size_is_in_binary_units(value: int, text: str) -> None:
    assert units.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 rows"), (1, "1 row"), (1_234_567, "1,234,567 rows"), (-1, "-1 rows")]
)
def test_a_count_has_its_noun(value: int, text: str) -> None:
    assert units.count(value, "row") == text
    assert units.count(value) == text.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.9e-06, "0.0000019"),
        (0.0125, "0.0125"),
        (1 / 3, "0.3333"),
        (12.0, "12"),
        (268.435456, "268.4"),
        (999.96, "1,000"),
        (24_414.1, "24,414"),
        (268_435_456.0, "268,435,456"),
        (-33.333, "-33.33"),
    ],
)
def test_a_quantity_has_four_digits_or_all_of_its_whole_part(value: float, text: str) -> None:
    assert units.number(value) == text


@pytest.mark.parametrize(("part", "text"), [(0, "0 %"), (0.1, "10 %"), (0.375, "37.5 %")])
def test_a_part_is_in_percent(part: float, text: str) -> None:
    assert units.percent(part) == text


# --- dollars --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "$0.00"),
        (0.000002, "<$0.0001"),
        (0.00006, "$0.0001"),
        (0.0005, "$0.0005"),
        (0.0219, "$0.0219"),
        (0.05, "$0.05"),
        (0.09999, "$0.10"),
        (0.17, "$0.17"),
        (1234.5, "$1,234.50"),
        (-0.022, "-$0.022"),
        (-1234.5, "-$1,234.50"),
    ],
)
def test_dollars_have_cents_and_what_is_below_them(value: float, text: str) -> None:
    assert units.dollars(value) == text


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_an_amount_is_never_shown_as_nothing(value: float) -> None:
    assert re.search(r"[1-9]", units.dollars(value))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (0.0004, "$0.0004"), (0.5, "$0.50"), (5, "$5"), (30_000.0, "$30,000")],
)
def test_a_price_has_all_its_digits(value: float, text: str) -> None:
    assert units.price(value) == text
