"""Errors for people: what is wrong, and what to do about it."""

from __future__ import annotations


class DynoexportError(Exception):
    """Something the user can mend.

    ``what`` is one line that names the fault; ``hint`` says what to do next. The command
    line prints both without a traceback and ends with ``exit_code``.
    """

    exit_code = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.hint}" if self.hint else self.what


class NameRefused(DynoexportError):
    """A table name that some service would refuse, or that collides with another export."""


class GraphRefused(DynoexportError):
    """A workflow graph that AWS Glue would refuse, or that could never run."""


class ScheduleRefused(DynoexportError):
    """A cron expression that AWS Glue would refuse."""

    exit_code = 2
