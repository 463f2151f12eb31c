"""The table of clients in docs/local.md has what `make test-engines` compares."""

from __future__ import annotations

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
