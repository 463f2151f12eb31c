"""Functions of Trino that DuckDB has not, in Python."""

from __future__ import annotations

import calendar
import datetime as dt
import json
import math
import re
import sys
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_EXACT = Context(prec=120, rounding=ROUND_HALF_UP)


class Failure(Exception):
    """What Trino says about a value."""


def _substr(text: str, start: int, length: int) -> str:
    if start == 0 or abs(start) > len(text) or length <= 0:
        return ""
    begin = start - 1 if start > 0 else len(text) + start
    return text[begin : begin + length]


def _pad(text: str, size: int, fill: str, left: bool) -> str:
    if size < 0 or not fill:
        raise Failure("INVALID_FUNCTION_ARGUMENT: Padding string must not be empty")
    missing = (fill * size)[: max(0, size - len(text))]
    return (missing + text if left else text + missing)[:size]


def _split(text: str, delimiter: str, limit: int) -> list[str]:
    if limit <= 0 or not delimiter:
        raise Failure("INVALID_FUNCTION_ARGUMENT: Limit must be positive")
    return text.split(delimiter, limit - 1)


def _replace(text: str, search: str, new: str) -> str:
    return text.replace(search, new)


def _chr(number: int) -> str:
    if not 0 <= number <= sys.maxunicode:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Not a valid Unicode code point: {number}")
    return chr(number)


def _upper(text: str) -> str:
    """Each character alone, as Java: a sharp s stays one."""
    return "".join(one.upper() if len(one.upper()) == 1 else one for one in text)


def _lower(text: str) -> str:
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in text)


def _cbrt(number: float) -> float:
    return float(np.cbrt(number))


# --- regular expressions -------------------------------------------------------------------------
def _pattern(pattern: str, text: str) -> re.Pattern[str]:
    # Which letters of the world are \\w differs between libraries.
    if not text.isascii() and re.search(r"\\[wWbBdDsS]|\(\?\w*i", pattern):
        raise Failure("NOT_SUPPORTED: the endpoint does not run this pattern on this text")
    if re.search(r"\\[pPQEGhHRXkz]|\[[^\]]*(&&|\[)|[+*?}]\+|\(\?<[A-Za-z]", pattern):
        raise Failure("NOT_SUPPORTED: the endpoint does not run this regular expression")
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: {error}") from error


def _regexp_extract(text: str, pattern: str, group: int) -> str | None:
    compiled = _pattern(pattern, text)
    if not 0 <= group <= compiled.groups:
        raise Failure(
            f"INVALID_FUNCTION_ARGUMENT: Pattern has {compiled.groups} groups. "
            f"Cannot access group {group}"
        )
    found = compiled.search(text)
    return None if found is None else found[group]


def _regexp_replace(text: str, pattern: str, new: str) -> str:
    compiled = _pattern(pattern, text)

    def put(found: re.Match[str]) -> str:
        return re.sub(
            r"\\(.)|\$(\d)",
            lambda part: part[1] if part[2] is None else (found[int(part[2])] or ""),
            new,
        )

    try:
        return compiled.sub(put, text)
    except IndexError as error:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Illegal replacement: {new}") from error


# --- JSON ----------------------------------------------------------------------------------------
class _Number(str):
    """A number with its text."""

    __slots__ = ()


def _load(text: str) -> Any:
    return json.loads(
        text,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_constant,
        object_pairs_hook=_unique,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Failure("NOT_SUPPORTED: the endpoint does not run json with a key that repeats")
    return found


def _constant(word: str) -> Any:
    raise ValueError(word)


def _dump(value: Any, *, ordered: bool = False) -> str:
    """The JSON; ``ordered`` are the keys of an object."""
    if isinstance(value, _Number):
        if not re.fullmatch(r"-?\d{1,18}|-?\d{1,6}\.\d{0,5}[1-9]", value):
            raise Failure(f"NOT_SUPPORTED: the endpoint does not run json with the number {value}")
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(_dump(inner, ordered=ordered) for inner in value)}]"
    if isinstance(value, dict):
        pairs = sorted(value.items()) if ordered else value.items()
        return (
            "{"
            + ",".join(
                f"{json.dumps(name, ensure_ascii=False)}:{_dump(inner, ordered=ordered)}"
                for name, inner in pairs
            )
            + "}"
        )
    return json.dumps(value, ensure_ascii=False)


_STEP = re.compile(r"\.([\w$-]+)|\[(\d+)\]|\[\"((?:[^\"\\]|\\.)*)\"\]|\['([^']*)'\]")
_MISSING = object()


def _follow(text: str, path: str) -> Any:
    position = 1
    steps: list[str | int] = []
    while position < len(path) and path[0] == "$":
        step = _STEP.match(path, position)
        if step is None:
            break
        steps.append(int(step[2]) if step[2] else next(part for part in step.groups() if part))
        position = step.end()
    if path[:1] != "$":
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Invalid JSON path: '{path}'")
    if position != len(path):
        raise Failure(f"NOT_SUPPORTED: the endpoint does not run the JSON path {path}")
    try:
        value = _load(text)
    except ValueError as error:
        if text.lstrip()[:1] in {"{", "["}:
            # Trino reads as far as it needs.
            raise Failure("NOT_SUPPORTED: the endpoint does not run broken json") from error
        return _MISSING
    for step_ in steps:
        if isinstance(value, dict):
            value = value.get(str(step_), _MISSING)
        elif isinstance(value, list) and str(step_).isdigit() and int(step_) < len(value):
            value = value[int(step_)]
        else:
            return _MISSING
    return value


def _json_extract_scalar(text: str, path: str) -> str | None:
    value = _follow(text, path)
    if value is _MISSING or value is None or isinstance(value, (dict, list)):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json_extract(text: str, path: str) -> str | None:
    value = _follow(text, path)
    return None if value is _MISSING else _dump(value)


def _json_parse(text: str) -> str:
    try:
        return _dump(_load(text), ordered=True)
    except ValueError as error:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: {text}") from error


def _json_length(text: str) -> int | None:
    try:
        value = _load(text)
    except ValueError:
        return None
    return len(value) if isinstance(value, list) else None


def _json_is_scalar(text: str) -> bool:
    try:
        return not isinstance(_load(text), (dict, list))
    except ValueError as error:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Invalid JSON value: {text}") from error


# --- casts ---------------------------------------------------------------------------------------
def _cannot_cast(text: str, kind: str) -> Failure:
    return Failure(f"INVALID_CAST_ARGUMENT: Cannot cast '{text}' to {kind}")


def _integer(text: str, bits: int) -> int:
    text = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]+", text) or not -(2 ** (bits - 1)) <= int(text) < 2 ** (
        bits - 1
    ):
        raise _cannot_cast(text, {8: "TINYINT", 16: "SMALLINT", 32: "INT"}.get(bits, "BIGINT"))
    return int(text)


def _double(text: str) -> float:
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[dDfF]?\s*", text):
        raise _cannot_cast(text, "DOUBLE")
    return float(text.strip().rstrip("dDfF"))


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in {"t", "true", "1", "f", "false", "0"}:
        raise _cannot_cast(text, "BOOLEAN")
    return word in {"t", "true", "1"}


def to_date(text: str) -> dt.date:
    """A date of the text."""
    found = re.fullmatch(r"\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*", text)
    try:
        return dt.date(*map(int, found.groups() if found else (0, 0, 0)))
    except ValueError as error:
        raise Failure(f"INVALID_CAST_ARGUMENT: Value cannot be cast to date: {text}") from error


_TIMESTAMP = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?: (\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6}))?)?)?\s*"
)


def to_timestamp(text: str) -> dt.datetime:
    """A timestamp of the text."""
    found = _TIMESTAMP.fullmatch(text)
    parts = found.groups() if found else ("0",) * 7
    numbers = [int(part or 0) for part in parts[:6]]
    micros = int((parts[6] or "").ljust(6, "0"))
    try:
        return dt.datetime(*numbers, micros)  # type: ignore[call-arg,arg-type]  # noqa: DTZ001
    except ValueError as error:
        raise Failure(
            f"INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: {text}"
        ) from error


def _double_text(number: float) -> str:
    return float_text(number, repr(number))


def _real_text(number: float) -> str:
    return float_text(number, str(np.float32(number)))


def float_text(number: float, shown: str) -> str:
    """The number as Trino prints it, from its shortest text."""
    if math.isnan(number) or math.isinf(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    sign, digits, exponent = Decimal(shown).as_tuple()
    written = "".join(map(str, digits)).rstrip("0") or "0"
    power = 0 if written == "0" else len(digits) + int(exponent) - 1
    return f"{'-' * sign}{written[0]}.{written[1:] or '0'}E{power}"


# --- times ---------------------------------------------------------------------------------------
_PYTHON = {
    "Y": "%Y", "m": "%m", "d": "%d", "H": "%H", "i": "%M", "s": "%S", "S": "%S", "f": "%f",
    "y": "%y", "M": "%B", "b": "%b", "W": "%A", "a": "%a", "p": "%p", "h": "%I", "I": "%I",
    "T": "%H:%M:%S", "j": "%j", "%": "%%",
    "e": "%-d", "c": "%-m", "k": "%-H", "l": "%-I",
}  # fmt: skip


def _python_format(text: str) -> str:
    def put(found: re.Match[str]) -> str:
        if found[1] not in _PYTHON:
            raise Failure(f"NOT_SUPPORTED: the endpoint does not run the date format {found[0]}")
        return _PYTHON[found[1]]

    return re.sub("%(.)", put, text)


def _date_format(moment: dt.datetime, text: str) -> str:
    return moment.strftime(_python_format(text))


def _date_parse(text: str, shape: str) -> dt.datetime:
    # strptime fills missing fields from 1900, Trino from 1970.
    if not re.search("%[Yy]", shape):
        raise Failure("NOT_SUPPORTED: the endpoint does not run date_parse without a year")
    try:
        return dt.datetime.strptime(text, _python_format(shape).replace("%-", "%"))  # noqa: DTZ007
    except ValueError as error:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Invalid format: {text!r}") from error


def _iso8601(text: str) -> dt.datetime:
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.\d{1,3})?)?)?)?(.*))?", text
    )
    if found is None:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Invalid format: {text!r}")
    if (found[3] or "Z") not in {"Z", "+00:00"}:
        raise Failure("NOT_SUPPORTED: the endpoint runs from_iso8601_timestamp in UTC alone")
    try:
        moment = dt.datetime.fromisoformat(f"{found[1]}T{found[2] or '00'}")
    except ValueError as error:
        raise Failure(f"INVALID_FUNCTION_ARGUMENT: Invalid format: {text!r}") from error
    return moment


def _local(moment: dt.datetime, zone: str) -> dt.datetime:
    return moment.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _months_between(start: dt.datetime, end: dt.datetime) -> int:
    """Complete months, as Joda-Time has them: the last day of a month completes it."""
    months = (end.year - start.year) * 12 + end.month - start.month
    last = calendar.monthrange(end.year, end.month)[1]
    start_rest, end_rest = (
        (moment.day, moment - moment.replace(hour=0, minute=0, second=0, microsecond=0))
        for moment in (start, end)
    )
    if end.day == last and start.day > last:
        start_rest = (last, start_rest[1])
    return months - (end_rest < start_rest)


MILLISECONDS = {
    "millisecond": 1,
    "second": 1000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def _date_diff(unit: str, start: dt.datetime, end: dt.datetime) -> int:
    if end < start:
        return -_date_diff(unit, end, start)
    if unit in _MONTHS:
        return _months_between(start, end) // _MONTHS[unit]
    return (end - start) // dt.timedelta(milliseconds=MILLISECONDS[unit])


def _from_utf8(content: bytes) -> str:
    return content.decode(errors="replace")


def _reverse(text: str) -> str:
    return text[::-1]


def decimal_operation(
    sign: str, precision: int, scale: int
) -> Callable[[Decimal, Decimal], Decimal]:
    """The operator on decimals, with the digits of its result."""
    limit, unit = Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale)

    def operation(left: Decimal, right: Decimal) -> Decimal:
        if sign in "/%" and not right:
            raise Failure("DIVISION_BY_ZERO: Division by zero")
        work = {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply, "/": _EXACT.divide}
        exact = work.get(sign, _EXACT.remainder)(left, right)
        return within(exact)

    def within(exact: Decimal) -> Decimal:
        try:
            result = exact.quantize(unit, context=_EXACT)
        except InvalidOperation:
            result = limit
        if abs(result) >= limit:
            raise Failure("NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow")
        return result

    return operation


def decimal_cast(precision: int, scale: int) -> Callable[[str], Decimal]:
    """CAST of a text to a decimal."""
    limit, unit = Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale)

    def cast(text: str) -> Decimal:
        named = f"DECIMAL({precision}, {scale})"
        if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text):
            raise _cannot_cast(text, named)
        result = Decimal(text.strip()).quantize(unit, context=_EXACT)
        if abs(result) >= limit:
            raise _cannot_cast(text, named)
        return result

    return cast


# The function, DuckDB's types of its arguments, and of its result.
FUNCTIONS: dict[str, tuple[Callable[..., Any], list[str], str]] = {
    "trino_substr": (_substr, ["VARCHAR", "BIGINT", "BIGINT"], "VARCHAR"),
    "trino_pad": (_pad, ["VARCHAR", "BIGINT", "VARCHAR", "BOOLEAN"], "VARCHAR"),
    "trino_split": (_split, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR[]"),
    "trino_replace": (_replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
    "trino_reverse": (_reverse, ["VARCHAR"], "VARCHAR"),
    "trino_chr": (_chr, ["BIGINT"], "VARCHAR"),
    "trino_upper": (_upper, ["VARCHAR"], "VARCHAR"),
    "trino_lower": (_lower, ["VARCHAR"], "VARCHAR"),
    "trino_regexp_split": (
        lambda text, pattern: _pattern(pattern, text).split(text),
        ["VARCHAR", "VARCHAR"],
        "VARCHAR[]",
    ),
    "trino_cbrt": (_cbrt, ["DOUBLE"], "DOUBLE"),
    "trino_regexp_like": (
        lambda text, pattern: _pattern(pattern, text).search(text) is not None,
        ["VARCHAR", "VARCHAR"],
        "BOOLEAN",
    ),
    "trino_regexp_extract": (_regexp_extract, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    "trino_regexp_extract_all": (
        lambda text, pattern: [match[0] for match in _pattern(pattern, text).finditer(text)],
        ["VARCHAR", "VARCHAR"],
        "VARCHAR[]",
    ),
    "trino_regexp_replace": (_regexp_replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
    "trino_json_extract_scalar": (_json_extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    "trino_json_extract": (_json_extract, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    "trino_json_parse": (_json_parse, ["VARCHAR"], "VARCHAR"),
    "trino_json_length": (_json_length, ["VARCHAR"], "BIGINT"),
    "trino_json_is_scalar": (_json_is_scalar, ["VARCHAR"], "BOOLEAN"),
    "trino_integer": (_integer, ["VARCHAR", "BIGINT"], "BIGINT"),
    "trino_double": (_double, ["VARCHAR"], "DOUBLE"),
    "trino_boolean": (_boolean, ["VARCHAR"], "BOOLEAN"),
    "trino_date": (to_date, ["VARCHAR"], "DATE"),
    "trino_timestamp": (to_timestamp, ["VARCHAR"], "TIMESTAMP"),
    "trino_double_text": (_double_text, ["DOUBLE"], "VARCHAR"),
    "trino_real_text": (_real_text, ["FLOAT"], "VARCHAR"),
    "trino_date_format": (_date_format, ["TIMESTAMP", "VARCHAR"], "VARCHAR"),
    "trino_date_parse": (_date_parse, ["VARCHAR", "VARCHAR"], "TIMESTAMP"),
    "trino_iso8601": (_iso8601, ["VARCHAR"], "TIMESTAMP"),
    "trino_local": (_local, ["TIMESTAMP", "VARCHAR"], "TIMESTAMP"),
    "trino_date_diff": (_date_diff, ["VARCHAR", "TIMESTAMP", "TIMESTAMP"], "BIGINT"),
    "trino_from_utf8": (_from_utf8, ["BLOB"], "VARCHAR"),
}
