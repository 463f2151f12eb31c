"""The attribute values that DynamoDB accepts, and the form in which it returns them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
has the limits. The texts of the errors are those of dynalite, which has them from AWS.
"""

from __future__ import annotations

import base64
import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DecimalException
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 38
_LARGEST_EXPONENT, _SMALLEST_EXPONENT = 125, -130
# Python accepts more than DynamoDB: digits of other scripts, underscores, spaces.
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
# The sum of 1E+125 and 1E-130 has 256 digits.
_EXACT = Context(prec=300, Emax=MAX_EMAX, Emin=MIN_EMIN)

_INVALID = "One or more parameter values were invalid: "
_NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
_STORING = "Attempting to store "
_OVERFLOW = f"Number overflow. {_STORING}a number with magnitude larger than supported range"
_UNDERFLOW = f"Number underflow. {_STORING}a number with magnitude smaller than supported range"
_ONE_TYPE = "must contain exactly one of the supported datatypes"
_EMPTY_SET = {
    "SS": f"{_INVALID}An string set  may not be empty",
    "NS": f"{_INVALID}An number set  may not be empty",
    "BS": f"{_INVALID}Binary sets should not be empty",
}


class InvalidValue(Exception):
    """DynamoDB refuses the value; the message is AWS's.

    ``said`` is the same without the value that AWS quotes.
    """

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said or message


def normalize(value: Mapping[str, Any]) -> dict[str, Any]:
    """An AttributeValue as DynamoDB keeps it: numbers have their normal form.

    Raises:
        InvalidValue: DynamoDB refuses it.
    """
    if not value:
        raise InvalidValue(f"Supplied AttributeValue is empty, {_ONE_TYPE}")
    kept = {code: _normalize_content(code, content) for code, content in value.items()}
    if len(kept) > 1:
        raise InvalidValue(f"Supplied AttributeValue has more than one datatypes set, {_ONE_TYPE}")
    return kept


def _normalize_content(code: str, content: Any) -> Any:
    if code == "N":
        return normalize_number(content)
    if code == "NULL" and content is False:
        raise InvalidValue(f"{_INVALID}Null attribute value types must have the value of true")
    if code in _EMPTY_SET:
        return _normalize_set(code, content)
    if code == "L":
        return [normalize(element) for element in content]
    if code == "M":
        return {name: normalize(element) for name, element in content.items()}
    return content


def _normalize_set(code: str, elements: list[Any]) -> list[Any]:
    if not elements:
        raise InvalidValue(_EMPTY_SET[code])
    kept = [normalize_number(element) for element in elements] if code == "NS" else elements
    if len(set(kept)) < len(kept):
        raise InvalidValue(_explain_duplicates(code, kept), "a set contains duplicates")
    return kept


def _explain_duplicates(code: str, elements: list[Any]) -> str:
    if code == "NS":
        return "Input collection contains duplicates"
    if code == "SS":
        return f"{_INVALID}Input collection [{', '.join(elements)}] contains duplicates."
    listed = ", ".join(map(_base64, elements))
    return f"{_INVALID}Input collection [{listed}]of type BS contains duplicates."


def to_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """The attribute value as an answer has it: binary content becomes base64."""
    ((code, content),) = value.items()
    if code == "B":
        return {code: _base64(content)}
    if code == "BS":
        return {code: [_base64(element) for element in content]}
    if code == "L":
        return {code: [to_json(element) for element in content]}
    if code == "M":
        return {code: {name: to_json(element) for name, element in content.items()}}
    return {code: content}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def normalize_number(text: str) -> str:
    """The number without exponent, leading and trailing zeros, as AWS returns it.

    This applies to 1E+100, too: https://github.com/boto/boto3/issues/2500.

    Raises:
        InvalidValue: it is not a number, or outside DynamoDB's range.
    """
    number = _parse(text)
    if not number:
        return "0"
    if number.adjusted() > _LARGEST_EXPONENT:
        raise InvalidValue(_OVERFLOW)
    if number.adjusted() < _SMALLEST_EXPONENT:
        raise InvalidValue(_UNDERFLOW)
    if significant_digits(number) > _DIGITS:
        raise InvalidValue(f"{_STORING}more than {_DIGITS} significant digits in a Number")
    return f"{number.normalize(_EXACT):f}"


def _parse(text: str) -> Decimal:
    if not text:
        raise InvalidValue(_NOT_NUMERIC)
    try:
        if _NUMBER.fullmatch(text):
            return Decimal(text)
    except DecimalException:
        # An exponent of 19 digits or more.
        pass
    raise InvalidValue(f"{_NOT_NUMERIC}: {text}", _NOT_NUMERIC)


def significant_digits(number: Decimal) -> int:
    """Digits without leading and trailing zeros."""
    return len("".join(map(str, number.as_tuple().digits)).strip("0"))


def add(first: str, second: str) -> str:
    """The exact sum of two numbers.

    Raises:
        InvalidValue: DynamoDB cannot store the sum.
    """
    try:
        return normalize_number(str(_EXACT.add(Decimal(first), Decimal(second))))
    except InvalidValue as error:
        # AWS has the same message for too many digits:
        # https://github.com/scylladb/scylladb/blob/master/test/alternator/test_number.py
        raise InvalidValue(_OVERFLOW) from error


def negate(number: str) -> str:
    """The number with the other sign."""
    return normalize_number(str(_EXACT.minus(Decimal(number))))


def number_size(text: str) -> int:
    """Bytes that DynamoDB charges for a number.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return (significant_digits(Decimal(text)) + 1) // 2 + 1
