"""The report of an acceptance run: docs/acceptance/<date>.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acceptance_facts import FACTS, Finding, Outcome

from dynoexport import units

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True)
class Step:
    """One thing that was tried: passed, failed with its reason, or (None) not reached."""

    name: str
    passed: bool | None
    detail: str = ""


@dataclass
class Report:
    """What a run did and saw."""

    day: date
    region: str
    is_aws: bool
    version: str
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    dollars: float = 0.0
    left: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether no step failed, no fact was refuted and nothing is left."""
        refuted = any(finding.outcome is Outcome.REFUTED for finding in self.findings)
        failed = any(step.passed is False for step in self.steps)
        return not (self.left or refuted or failed)

    def finding(self, key: str) -> Finding:
        """The observation of the fact. A refutation outweighs a confirmation."""
        own = [finding for finding in self.findings if finding.fact == key]
        for outcome in (Outcome.REFUTED, Outcome.CONFIRMED, Outcome.NOT_REACHED):
            for finding in own:
                if finding.outcome is outcome:
                    return finding
        return Finding(key, Outcome.NOT_REACHED, "")


def text(report: Report) -> str:
    """The report as Markdown."""
    where = f"AWS, {report.region}" if report.is_aws else "the local endpoint, not AWS"
    summary = (
        f"dynoexport {report.version} on {where}: {'passed' if report.passed else 'failed'}. "
        f"By the plan, it cost at most {units.dollars(report.dollars)}."
    )
    lines = [
        f"# Acceptance run of {report.day.isoformat()}",
        "",
        summary,
        "",
        "## Steps",
        "",
        "| step | result | detail |",
        "|---|---|---|",
    ]
    words = {True: "passed", False: "failed", None: "not reached"}
    lines += [
        f"| {step.name} | {words[step.passed]} | {cell(step.detail)} |" for step in report.steps
    ]
    lines += ["", "## Facts", "", "| fact | result | seen | source |", "|---|---|---|---|"]
    for fact in FACTS:
        finding = report.finding(fact.key)
        result = finding.outcome.value if report.is_aws else f"{finding.outcome.value} (local)"
        lines.append(f"| {fact.statement} | {result} | {cell(finding.seen)} | <{fact.source}> |")
    left = [f"- {leftover}" for leftover in report.left] or ["Nothing is left."]
    return "\n".join([*lines, "", "## What is left in the account", "", *left, ""])


def cell(detail: str) -> str:
    """The text in one line of a table."""
    return " ".join(detail.replace("|", "\\|").split())
