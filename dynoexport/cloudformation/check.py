"""Parameters that a user sets by name, checked before any call to AWS."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from dynoexport import settings
from dynoexport.cloudformation import form
from dynoexport.errors import DynoexportError
from dynoexport.workflow import schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynoexport.cloudformation.form import Group


class ParameterRefused(DynoexportError):
    """A parameter that does not exist, or a value that it does not take."""

    exit_code = 2


def check_parameters(groups: Sequence[Group], given: Mapping[str, str]) -> None:
    """Refuse parameters that the template lacks, and values that it refuses.

    Raises:
        ParameterRefused: naming the parameter and what it takes.
        ScheduleRefused: a schedule that AWS Glue refuses, or that never fires.
    """
    known = {field.parameter.title: field.parameter for group in groups for field in group.fields}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else f"the parameters are {', '.join(sorted(known))}"
            )
            raise ParameterRefused(f"there is no parameter {name}", hint=hint)
        reason = form.refusal(known[name], value)
        if reason is not None:
            raise ParameterRefused(f"{name} is {value!r}", hint=f"it {reason}")
    if settings.SCHEDULE in given:
        schedule.check(given[settings.SCHEDULE])
