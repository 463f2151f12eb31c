"""Errors for people: what is wrong, and what to do about it."""

from __future__ import annotations


def one_line(text: str) -> str:
    r"""The text with every unprintable character as an escape.

    A name from outside may hold line breaks, and commands for a terminal.

    >>> one_line("a\nb")
    'a\\nb'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


class DynoexportError(Exception):
    """An error that the user can correct.

    ``what`` is one line that names the fault; ``hint`` says what to do next. The command
    line prints both without a traceback and ends with ``exit_code``.
    """

    exit_code = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        self.what = one_line(what)
        # A hint may be a list of lines.
        self.hint = "\n".join(map(one_line, hint.split("\n")))
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what}: {self.hint}" if self.hint else self.what


class NameRefused(DynoexportError):
    """A table name that some service would refuse, or that collides with another export."""


class GraphRefused(DynoexportError):
    """A workflow graph that AWS Glue would refuse or could never run."""


class ScheduleRefused(DynoexportError):
    """A cron expression that AWS Glue would refuse."""

    exit_code = 2
