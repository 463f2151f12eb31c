"""Charts as places on a page: scales, ticks, lines, bars. The template only draws them.

All lengths are units of an SVG's viewBox, y grows downward.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynoexport import units

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Wide enough for a column of a desktop, narrow enough to be read on a phone, where it is shown
# at about this size.
WIDTH, HEIGHT = 400, 280
# The left margin has room for "1 h 20 min".
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 64, 34, 42
# Lines that are nowhere farther apart than this become one.
_SAME = 1.5
_LINE_HEIGHT = 14
# How far the text of a mark begins beside it.
_ASIDE = 20
# Shades that a page has for lines.
SHADES = 5
# Above this ratio of the largest to the smallest value a linear axis hides the small ones.
_LOGARITHMIC_FROM = 6
_TICKS_MIN, _TICKS_MAX = 4, 7
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_SECONDS = (1, 2, 5, 10, 20, 30)
_DURATIONS = (
    *_SECONDS,
    *(_MINUTE * number for number in _SECONDS),
    *(_HOUR * number for number in (1, 2, 3, 6, 12)),
    *(_DAY * number for number in (1, 2, 4, 7, 14, 30, 60, 120, 360)),
)
_FEW_DURATIONS = (1, 10, _MINUTE, 10 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 60 * _DAY)


# --- units ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Unit:
    """The unit of an axis: how a value is written, and the round values between two others.

    ``rounds`` returns all round values from low to high, ``few`` the roundest of them, ``more``
    some that are less round.
    """

    label: Callable[[float], str]
    rounds: Callable[[float, float], list[float]]
    few: Callable[[float, float], list[float]]
    more: Callable[[float, float], list[float]]


def _decimal(parts: Sequence[int]) -> Callable[[float, float], list[float]]:
    """Round values: the parts times powers of ten."""

    def rounds(low: float, high: float) -> list[float]:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [part * 10.0**power for power in powers for part in parts]
        return [value for value in values if low <= value <= high]

    return rounds


def _listed(values: Sequence[float]) -> Callable[[float, float], list[float]]:
    return lambda low, high: [float(value) for value in values if low <= value <= high]


SECONDS = Unit(units.duration, _listed(_DURATIONS), _listed(_FEW_DURATIONS), _listed(_DURATIONS))
_DECIMAL = (_decimal((1, 2, 5)), _decimal((1,)), _decimal((1, 2, 3, 5, 7)))
DOLLARS = Unit(units.price, *_DECIMAL)
PERCENT = Unit(units.percent, *_DECIMAL)
COUNT = Unit(units.number, *_DECIMAL)


# --- axes -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Scale:
    """Values from low to high, placed from ``begin`` to ``end``."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool

    def place(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        part = (value - low) / (high - low) if high > low else 0.5
        return round(self.begin + part * (self.end - self.begin), 1)


@dataclass(frozen=True)
class Tick:
    """A value on an axis: its place and its label."""

    place: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A scale and its ticks."""

    scale: Scale
    ticks: tuple[Tick, ...]


def axis(values: Sequence[float], unit: Unit, begin: float, end: float) -> Axis:
    """Logarithmic if the values are far apart, else from zero on; values are positive."""
    low, high = min(values), max(values)
    if high / low < _LOGARITHMIC_FROM:
        step = _step(high, unit)
        top = step * math.ceil(high / step * 1.02)
        scale = Scale(0, top, begin, end, logarithmic=False)
        # Rounded, because three times 0.2 is not exactly 0.6.
        marks = [round(step * number, 9) for number in range(round(top / step) + 1)]
    else:
        scale = Scale(low / 1.1, high * 1.1, begin, end, logarithmic=True)
        marks = unit.rounds(scale.low, scale.high)
        if len(marks) > _TICKS_MAX:
            marks = unit.few(scale.low, scale.high)
        elif len(marks) < _TICKS_MIN:
            marks = unit.more(scale.low, scale.high)
    return Axis(scale, tuple(Tick(scale.place(mark), unit.label(mark)) for mark in marks))


def _step(high: float, unit: Unit) -> float:
    """The smallest round step that reaches the highest value in at most five steps."""
    return unit.rounds(high / 5, high * 2)[0]


# --- lines ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Series:
    """A named line through points of positive values."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Dot:
    """A point of a line: its place and its tooltip."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line: its path, its points, and the height at which its name stands at the right.

    ``shade`` is one of ``SHADES``, the last for the last line.
    """

    name: str
    shade: int
    path: str
    dots: tuple[Dot, ...]
    label_y: float


@dataclass(frozen=True)
class Mark:
    """A point that stands out, and its text above the chart."""

    x: float
    y: float
    text: str
    text_x: float
    anchor: str


@dataclass(frozen=True)
class LineChart:
    """Where everything of a chart of lines is placed."""

    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    mark: Mark
    width: int = WIDTH
    height: int = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def line_chart(
    series: Sequence[Series],
    *,
    x: Unit,
    y: Unit,
    mark: tuple[float, float, str],
    describe: Callable[[float, float], str],
) -> LineChart:
    """Lines over one another, the last point of each named; ``mark`` is (x, y, text).

    Lines that look the same become one with both names. ``describe`` makes a point's text.
    """
    every = [point for line in series for point in line.points]
    across = axis([point[0] for point in every], x, _LEFT, WIDTH - _RIGHT)
    up = axis([point[1] for point in every], y, HEIGHT - _BOTTOM, _TOP)
    joined = _joined(series, up.scale)
    ends = [up.scale.place(line.points[-1][1]) for line in joined]
    labels = apart(ends, _LINE_HEIGHT, _TOP, HEIGHT - _BOTTOM)
    lines = tuple(
        _line(line, across.scale, up.scale, label, describe=describe, shade=shade)
        for line, label, shade in zip(joined, labels, shades(len(joined)), strict=True)
    )
    at = across.scale.place(mark[0])
    # Where a text above the point would leave the chart, it ends or begins beside it.
    third = (WIDTH - _LEFT - _RIGHT) / 3
    anchor = "start" if at < _LEFT + third else "end" if at > _LEFT + 2 * third else "middle"
    text_x = {"start": max(0.0, at - _ASIDE), "end": min(WIDTH, at + _ASIDE), "middle": at}[anchor]
    marked = Mark(at, up.scale.place(mark[1]), mark[2], text_x, anchor)
    return LineChart(across, up, lines, marked)


def _joined(series: Sequence[Series], y: Scale) -> list[Series]:
    """Neighbours that lie over one another as one, which is drawn where the first of them lies."""
    groups: list[list[Series]] = []
    for line in series:
        if groups and _same(groups[-1][0], line, y):
            groups[-1].append(line)
        else:
            groups.append([line])
    if len(groups) == 1 and len(series) > 1:
        return [Series("all", series[0].points)]
    return [Series(_span(same[0].name, same[-1].name), same[0].points) for same in groups]


def _same(first: Series, second: Series, y: Scale) -> bool:
    pairs = zip(first.points, second.points, strict=True)
    return all(abs(y.place(first[1]) - y.place(second[1])) <= _SAME for first, second in pairs)


def _span(first: str, last: str) -> str:
    """Two names as a range, with their common ending once.

    >>> _span("10 %", "25 %"), _span("2", "4"), _span("2", "2")
    ('10\u201325 %', '2\u20134', '2')
    """
    if first == last:
        return first
    return f"{first.removesuffix(' %')}\u2013{last}"


def _line(
    series: Series,
    x: Scale,
    y: Scale,
    label_y: float,
    *,
    describe: Callable[[float, float], str],
    shade: int,
) -> Line:
    dots = tuple(
        Dot(x.place(across), y.place(up), describe(across, up)) for across, up in series.points
    )
    path = "M" + "L".join(f"{dot.x:g} {dot.y:g}" for dot in dots)
    return Line(series.name, shade, path, dots, label_y)


def shades(lines: int) -> list[int]:
    """Shades from light to dark, as far apart as possible.

    >>> shades(1), shades(3), shades(5)
    ([5], [1, 3, 5], [1, 2, 3, 4, 5])
    """
    if lines == 1:
        return [SHADES]
    return [1 + round(number * (SHADES - 1) / (lines - 1)) for number in range(lines)]


def apart(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """The places moved as little as needed so that they are ``least`` apart, within bounds.

    >>> apart([50, 52, 90], 10, 0, 100)
    [46, 56, 90]
    """
    groups: list[tuple[list[int], float]] = []
    for index in sorted(range(len(places)), key=lambda index: places[index]):
        members = [index]
        middle = _bounded(places, members, least, low, high)
        # A place that comes too near joins the group before it, which moves to its new mean.
        while groups and middle - groups[-1][1] < least * (len(groups[-1][0]) + len(members)) / 2:
            members = [*groups.pop()[0], *members]
            middle = _bounded(places, members, least, low, high)
        groups.append((members, middle))
    moved = [0.0] * len(places)
    for members, middle in groups:
        for position, index in enumerate(members):
            moved[index] = round(middle + least * (position - (len(members) - 1) / 2), 1)
    return moved


def _bounded(
    places: Sequence[float], members: Sequence[int], least: float, low: float, high: float
) -> float:
    """The middle of a group of neighbours: their mean, but so that all are within the bounds."""
    half = least * (len(members) - 1) / 2
    mean = sum(places[index] for index in members) / len(members)
    return max(low + half, min(mean, high - half))
