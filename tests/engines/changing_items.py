"""Tables that change between their snapshots."""

from __future__ import annotations

from typing import Any

Items = list[dict[str, dict[str, Any]]]


def n(number: object) -> dict[str, Any]:
    return {"N": str(number)}


def s(text: str) -> dict[str, Any]:
    return {"S": text}


def m(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"M": fields}


# An attribute is new, one is gone, one changes its type, a struct and a number grow; then back.
SNAPSHOTS: list[Items] = [
    [
        {"id": s("1"), "rating": n(5), "size": n(10), "print": m(pages=n(1)), "price": n("1.5")},
        {"id": s("2"), "rating": n(4), "size": n(11), "print": m(pages=n(2)), "price": n(2)},
    ],
    [
        {"id": s("1"), "rating": s("good"), "print": m(pages=n(1), year=n(1997)), "price": n("2")},
        {"id": s("2"), "rating": n(4), "print": m(year=n(1998)), "color": s("red")},
        {"id": s("3"), "price": n("0.125"), "color": s("a,b")},
    ],
    [
        {"id": s("1"), "rating": n(3), "size": n(12), "print": m(pages=s("many"))},
        {"id": s("2"), "price": n(7), "color": {"L": [s("x"), s("y")]}},
    ],
]
# A column that is added, and nothing else: the least that can happen.
ADDED: list[Items] = [
    [{"id": s("1"), "old": s("a")}],
    [{"id": s("1"), "old": s("b"), "new": s("c")}],
]
