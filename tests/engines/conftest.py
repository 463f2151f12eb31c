"""The judges: their parts, what ran in the end and how long it took."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
# The lake and the map of expected rows are those of the tests of types, the command that of the
# functional tests.
sys.path[:0] = [str(HERE.parent / name) for name in ("types", "functional")]

import judges  # noqa: E402
import lake_fixtures  # noqa: E402
import started_endpoint  # noqa: E402
from lake_fixtures import collect_sockets, prepared  # noqa: E402, F401 - fixtures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lake import Lake
    from trino_server import Trino

    from dynoexport.local.context import Endpoint

OUTCOMES = ("passed", "failed", "error", "xfailed", "xpassed", "skipped")


@pytest.fixture(scope="session")
def lake(endpoint: Endpoint, prepared: int) -> Iterator[Lake]:  # noqa: F811 - a fixture
    """One for all judges of a process, because Spark takes long to start."""
    with lake_fixtures.open_lake(endpoint, prepared) as opened:
        yield opened


@pytest.fixture
def own_endpoint() -> Iterator[Endpoint]:
    """One for a test alone, whose account is empty."""
    with started_endpoint.start() as started:
        yield started


@pytest.fixture(scope="session")
def trino(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trino]:
    """A Trino that comes up while the first exports run."""
    from trino_server import Trino

    server = Trino(endpoint, tmp_path_factory.mktemp("trino"))
    with judges.required("Trino 476"):
        server.start()
    yield server
    server.close()


def judge_of(item: Any) -> str:
    """The module's ``JUDGE``, which may name parameters of the test."""
    parameters = defaultdict(lambda: "5.1", item.callspec.params if "callspec" in dir(item) else {})
    return str(item.module.JUDGE.format_map(parameters))


class ByJudge(LoadScopeScheduling):
    """All tests of a judge run in one process, because judges take long to start.

    xdist's own groups do not work with pytest 9.2: it keeps a test's id as it was collected, and
    xdist writes the group into it.
    """

    def _split_scope(self, nodeid: str) -> str:
        text = (self.config.rootpath / nodeid.partition("::")[0]).read_text(encoding="utf-8")
        found = re.search(r'^JUDGE = "(.*)"$', text, re.MULTILINE)
        return found[1] if found else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: Any, log: Any) -> ByJudge:
    return ByJudge(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each module names its judge, ``JUDGE``."""
    for item in items:
        if item.path.parent == HERE:
            judge = judge_of(item)
            item.add_marker(pytest.mark.engines)
            item.user_properties.append(("judge", judge))
            lake_fixtures.mark(item)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of what ran, what was skipped and how long each judge took."""
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            # What was deselected is there, too, as an item.
            judge = isinstance(report, pytest.TestReport) and dict(report.user_properties).get(
                "judge"
            )
            if judge:
                counts[judge][outcome] += 1
                counts[judge]["seconds"] += report.duration
    if not counts:
        return
    terminalreporter.section("judges")
    headings = "".join(f"{outcome:>9}" for outcome in OUTCOMES)
    terminalreporter.write_line(f"{'judge':<40}{headings}{'seconds':>9}")
    for judge, judged in sorted(counts.items()):
        numbers = "".join(f"{judged[outcome]:>9.0f}" for outcome in (*OUTCOMES, "seconds"))
        terminalreporter.write_line(f"{judge:<40}{numbers}")
