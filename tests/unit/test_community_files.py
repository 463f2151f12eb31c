"""SECURITY.md and the forms for issues: GitHub accepts them, and what they ask for exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FORMS = [ROOT / ".github" / "ISSUE_TEMPLATE" / name for name in ("bug.yml", "feature.yml")]
# https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-githubs-form-schema
ATTRIBUTES = {
    "markdown": {"value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "dropdown": {"label", "description", "multiple", "options", "default"},
}


def form(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_github_accepts_the_form(path: Path) -> None:
    fields = form(path)
    assert set(fields) == {"name", "description", "labels", "body"}
    for part in fields["body"]:
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert set(part["attributes"]) <= ATTRIBUTES[part["type"]], part
    asked = [part for part in fields["body"] if part["type"] != "markdown"]
    assert asked
    assert len({part["id"] for part in asked}) == len(asked)
    labels = [part["attributes"]["label"] for part in asked]
    assert len(set(labels)) == len(labels)


def test_bug_form_asks_for_versions_and_log() -> None:
    asked = {part.get("id"): str(part["attributes"]) for part in form(FORMS[0])["body"]}
    assert "dynoexport doctor --output json" in asked["doctor"]
    assert "dynoexport logs TABLE" in asked["log"]


def test_vulnerabilities_are_reported_privately() -> None:
    """By GitHub's own form, not by email."""
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "**Report a vulnerability**" in page
    assert "@" not in page
    assert "SECURITY.md" in FORMS[0].read_text(encoding="utf-8")
