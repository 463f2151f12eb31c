"""docs/reliability.md says what was measured."""

from __future__ import annotations

import json

import outcome_report as report
import schedules


def test_the_page_matches_the_figures() -> None:
    assert report.PAGE.read_text() == report.page(json.loads(report.FIGURES.read_text()))


def test_every_fault_was_measured() -> None:
    found = json.loads(report.FIGURES.read_text())
    assert found["broken"] == 0
    assert [kind for kind in schedules.KINDS if not found["hit"][kind]] == []


def test_figures_are_sums_of_outcomes() -> None:
    outcomes = [
        {"seed": 1, "injected": {"throttled": 3}, "calls": 70, "run": "FAILED", "notified": True},
        {"seed": 2, "injected": {"throttled": 4}, "calls": 50, "run": "SUCCEEDED"},
        {"seed": 3, "injected": {}, "calls": 0, "run": "FAILED", "alarmed": True},
    ]
    more = {"again": "SUCCEEDED", "seconds": 2.0, "broken": [], "notified": False, "alarmed": False}
    lines = [json.dumps({**more, **outcome}) for outcome in outcomes]
    lines += [json.dumps({"inputs": {"a": 5}}), json.dumps({"inputs": {"a": 2, "b": 1}})]
    lines += [json.dumps({"kills": {"prune": number}}) for number in (5, 4)]
    figures = report.figures_of(lines, "2026-01-31")
    assert (figures["schedules"], figures["calls"], figures["failed"]) == (3, 120, 2)
    assert (figures["notified"], figures["alarmed"]) == (1, 1)
    assert (figures["injected"]["throttled"], figures["hit"]["throttled"]) == (7, 2)
    assert figures["inputs"] == {"a": 7, "b": 1}
    assert figures["kills"] == {"prune": 9}
