"""The acceptance run finds its items and expected cells where the other tests have them."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("types", "engines")]
