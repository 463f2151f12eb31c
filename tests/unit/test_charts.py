"""Charts: all elements are inside, and none covers another."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynoexport.presentation import charts
from dynoexport.presentation.charts import COUNT, DOLLARS, SECONDS, Series, Unit

UNITS = [SECONDS, DOLLARS, COUNT]
# From a cent, a second and a worker to more than anything takes.
values = st.floats(0.01, 1e7)
spans = st.lists(values, min_size=2, max_size=30)


def described(x: float, y: float) -> str:
    return f"{x:g}: {y:g}"


@pytest.mark.parametrize("unit", UNITS)
@given(span=st.lists(st.floats(1, 1e7), min_size=2, max_size=30))
def test_an_axis_has_a_few_distinct_ticks(unit: Unit, span: list[float]) -> None:
    found = charts.axis(span, unit, 300, 20)
    assert 2 <= len(found.ticks) <= 12
    assert len({tick.label for tick in found.ticks}) == len(found.ticks)
    assert all(20 <= tick.place <= 300 for tick in found.ticks)
    assert all(one.place - other.place >= 13 for one, other in pairwise(found.ticks))


@given(span=spans)
def test_values_are_placed_in_their_order_within_the_axis(span: list[float]) -> None:
    found = charts.axis(span, DOLLARS, 0, 1_000)
    places = [found.scale.place(value) for value in sorted(span)]
    assert places == sorted(places)
    assert places[0] >= 0
    assert places[-1] <= 1_000


def test_values_far_apart_are_seen_beside_one_another() -> None:
    assert charts.axis([1, 100], COUNT, 0, 10).scale.logarithmic
    assert not charts.axis([20, 100], COUNT, 0, 10).scale.logarithmic


@given(places=st.lists(st.floats(0, 200), max_size=8))
def test_labels_stand_apart_in_their_order_and_within_bounds(places: list[float]) -> None:
    found = charts.apart(places, 13, 0, 200)
    order = sorted(range(len(places)), key=lambda number: places[number])
    moved = [found[number] for number in order]
    assert all(other - one >= 12.9 for one, other in pairwise(moved))
    assert all(0 <= place <= 200 for place in moved)


def test_labels_that_are_apart_stay_where_they_are() -> None:
    assert charts.apart([90, 20, 50], 13, 0, 200) == [90, 20, 50]


def test_lines_through_the_same_points_are_one_with_both_names() -> None:
    flat, steep = ((2.0, 60.0), (9.0, 60.0)), ((2.0, 600.0), (9.0, 90.0))
    nearly = ((2.0, 60.1), (9.0, 60.1))
    chart = charts.line_chart(
        [Series("10 %", steep), Series("25 %", flat), Series("50 %", nearly), Series("75 %", flat)],
        x=COUNT,
        y=SECONDS,
        mark=(9.0, 60.0, "here"),
        describe=described,
    )
    assert [line.name for line in chart.lines] == ["10 %", "25\u201375 %"]
    assert [dot.text for dot in chart.lines[0].dots] == ["2: 600", "9: 90"]
    assert chart.mark.anchor == "end"


def test_lines_that_are_all_the_same_are_one() -> None:
    points = ((2.0, 60.0), (9.0, 60.0))
    lines = [Series("10 %", points), Series("25 %", points)]
    chart = charts.line_chart(
        lines, x=COUNT, y=SECONDS, mark=(2.0, 60.0, "here"), describe=described
    )
    assert [(line.name, line.shade) for line in chart.lines] == [("all", charts.SHADES)]


def test_a_mark_lies_on_its_line() -> None:
    points = ((2.0, 600.0), (9.0, 90.0), (30.0, 80.0))
    series = [Series("25 %", points)]
    chart = charts.line_chart(
        series, x=COUNT, y=SECONDS, mark=(9.0, 90.0, "here"), describe=described
    )
    dot = chart.lines[0].dots[1]
    assert (chart.mark.x, chart.mark.y) == (dot.x, dot.y)
