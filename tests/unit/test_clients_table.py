"""The table of clients in docs/local.md has what `make test-engines` compares."""

from __future__ import annotations

import json

import clients_table


def test_page_shows_the_recorded_answers() -> None:
    page = clients_table.PAGE.read_text(encoding="utf-8")
    assert clients_table.with_section(page) == page


def test_every_client_has_answers_and_each_is_right_or_a_refusal() -> None:
    """An error that is no refusal would be a fault, not an answer."""
    answers = clients_table.recorded()
    assert list(answers) == [*clients_table.CLIENTS, "AWS CLI v2", "cdk"]
    for steps in answers.values():
        for answer in steps.values():
            assert clients_table.is_refusal(answer) or "Error" not in str(answer)


def test_every_package_is_pinned() -> None:
    for client in clients_table.CLIENTS.values():
        lines = client.requirements.read_text(encoding="utf-8").split()
        assert all(line.count("==") == 1 for line in lines)


def test_the_named_aws_cli_is_the_pinned_one() -> None:
    text = (clients_table.ROOT / "tests" / "engines" / "artifacts.json").read_text(encoding="utf-8")
    (artifact,) = json.loads(text)[f"aws-cli-{clients_table.AWS_CLI_V2}"]
    assert artifact["package"] == "aws-cdk-asset-awscli-v2"
    assert artifact["sha256"]
