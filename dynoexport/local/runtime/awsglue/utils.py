"""Arguments, as Glue's own library resolves them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def getResolvedOptions(args: Sequence[str], options: Sequence[str]) -> dict[str, str]:  # noqa: N802 - Glue's name
    """The named options of ``sys.argv``; up to Glue 5.1 a prefix of a name is taken for it."""
    parser = argparse.ArgumentParser()
    for option in options:
        parser.add_argument(f"--{option}", required=True)
    return vars(parser.parse_known_args(list(args)[1:])[0])
