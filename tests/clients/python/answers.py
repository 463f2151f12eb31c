"""What each program here prints: its steps with their answers, as JSON."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BUCKET = "dynamodb-exports-123456789012-us-east-1"
DATABASE, GROUP = "dynamodb_exports", "dynamodb-exports"


def answer(steps: Mapping[str, Callable[[], Any]]) -> None:
    """Run the steps. Each has an answer or the text of its error."""
    logging.disable()
    warnings.simplefilter("ignore")
    answers = {}
    for name, step in steps.items():
        try:
            answers[name] = step()
        except Exception as error:  # noqa: BLE001 - the test reads it
            answers[name] = f"{type(error).__name__}: {error}"
    json.dump(answers, sys.stdout, default=repr)
