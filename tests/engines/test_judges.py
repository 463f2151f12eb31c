"""All tests of a judge run in one process, because judges take long to start."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

JUDGE = "parts"
HERE = Path(__file__).parent


def test_all_tests_of_a_judge_run_in_one_process() -> None:
    """Two processes share the tests of two judges."""
    modules = [HERE / "test_comparer.py", HERE / "test_artifacts.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "-v", *modules],
        capture_output=True,
        text=True,
        check=True,
    )
    ran = set(re.findall(r"\[(gw\d)\].* \S*(test_\w+)\.py::", done.stdout))
    assert len(ran) == len({module for _, module in ran}) == len(modules)
