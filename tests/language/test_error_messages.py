"""Every error that the package can raise has the thing, the reason and the next step."""

from __future__ import annotations

import re

import pytest
from error_messages import ELSEWHERE, VALUE, Message, messages

MESSAGES = messages()
# Answers of the endpoint's services in AWS's words: clients get them, not people.
ANSWERS = (
    "dynoexport/local/services/",
    "dynoexport/local/glue/crawler.py",
    "dynoexport/local/iam/",
)

# A command, an option, or a place to look at.
_PLACE = re.compile(r"dynoexport |aws [a-z-]+|--[a-z]|https://|[A-Z]+\.md|console")
# What to do.
_VERBS = re.compile(
    r"(add|allow|check|choose|correct|delete|destroy|export|get|give|leave|make|name|pip install|"
    r"put|repair|repeat|run|save|see|set|stop|try|use|wait|write) "
)
# What is accepted instead: whoever reads it writes that.
_ACCEPTED = re.compile(
    r"(it (VALUE|has|must|depends)|a name has|a key attribute (is|has)|at most VALUE|"
    r"DynamoDB takes|the file describes|AWS Glue runs a schedule at most|did you mean) ?"
)
# Messages without a next step of their own, each with the reason.
REVIEWED = {
    "nothing was changed": "the user said no",
    "nothing was deleted": "the user said no",
    "the endpoint ends": "nobody reads it: the process of a job ends with the endpoint",
}
# Next steps that name neither, each with the reason.
REVIEWED_HINTS = {
    "never started: VALUE": "the nodes to look at",
    "a run creates it: VALUE": "VALUE is the command",
    "a run mends it: VALUE": "VALUE is the command",
    "nothing could start its runs": "whoever reads it builds a graph of his own",
}


def of_people(message: Message) -> bool:
    return not message.place.startswith(ANSWERS)


PEOPLE = [message for message in MESSAGES if of_people(message)]


def test_errors_are_found() -> None:
    assert len(PEOPLE) > 150
    assert {"AwsFailed", "DeployFailed", "ItemsRefused", "NotExported"} <= {
        message.kind for message in PEOPLE
    }


@pytest.mark.parametrize("message", PEOPLE, ids=lambda message: f"{message.place} {message.kind}")
def test_error_is_one_line_that_ends_as_a_sentence(message: Message) -> None:
    assert "\n" not in message.what
    # A hint may be a list of lines.
    for text in (message.what, message.hint.split("\n")[-1]):
        assert "  " not in text
        assert text == text.strip()
        # No full stop, as the command prints it behind "Error: ". NAME=... stands for a value.
        ending = text.removesuffix("=...")
        assert not ending.endswith((".", ",", ":", ";", "None", " of", " is"))


@pytest.mark.parametrize("message", PEOPLE, ids=lambda message: f"{message.place} {message.kind}")
def test_error_has_its_next_step(message: Message) -> None:
    hint = message.hint
    if not hint:
        assert message.what in REVIEWED
        return
    named = _PLACE.search(hint) or _VERBS.match(hint) or _ACCEPTED.match(hint)
    assert named or hint == ELSEWHERE or hint in REVIEWED_HINTS


def test_every_reviewed_text_exists() -> None:
    """And still needs its review."""
    assert {message.what for message in PEOPLE if not message.hint} == set(REVIEWED)
    assert set(REVIEWED_HINTS) <= {message.hint for message in PEOPLE}
    assert VALUE in "".join(message.what for message in PEOPLE)
