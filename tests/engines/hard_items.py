"""One table with every trouble of tests/corpus, side by side."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import expected

CORPUS = Path(__file__).parents[1] / "corpus"


def hard_items() -> list[expected.Item]:
    """The items of all cases; each case's attributes end in its number, so that none share one."""
    items = []
    for number, path in enumerate(sorted(CORPUS.glob("*.json"))):
        for index, item in enumerate(json.loads(path.read_text(encoding="utf-8"))["items"]):
            own = {f"{name}.{number}": with_binary(item[name]) for name in item if name != "id"}
            items.append({"id": {"S": f"{path.stem} {index}"}, **own})
    return items


def with_binary(value: dict[str, Any]) -> dict[str, Any]:
    """The value with binary, which JSON cannot hold, from base64."""
    ((code, held),) = value.items()
    if code == "B":
        return {"B": base64.b64decode(held)}
    if code == "BS":
        return {"BS": [base64.b64decode(element) for element in held]}
    if code == "L":
        return {"L": [with_binary(element) for element in held]}
    if code == "M":
        return {"M": {name: with_binary(inner) for name, inner in held.items()}}
    return value
