"""Change several stacks at once: all or none is approved, and each failure is named."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from dynoexport.aws.account import side_by_side
from dynoexport.aws.change_sets import (
    ChangeSet,
    Declined,
    DeployFailed,
    discard,
    execute,
    prepare,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dynoexport.aws.account import Account
    from dynoexport.aws.change_sets import Event, Stack

# CloudFormation throttles callers that change many stacks at once.
_STACKS_AT_ONCE = 4


def apply(
    account: Account,
    stacks: Sequence[Stack],
    *,
    approve: Callable[[Sequence[ChangeSet]], bool],
    on_event: Callable[[Event], None],
) -> list[str]:
    """Change all stacks, or none if ``approve`` says no; return the names of those that changed.

    Raises:
        Declined: ``approve`` said no.
        DeployFailed: a stack could not be changed. The others are, and the message names all.
    """
    wait = _Wait()
    prepared = _prepare(account, stacks, wait)
    if prepared:
        _ask(account, prepared, approve)

    def execute_one(change_set: ChangeSet) -> Exception | None:
        try:
            execute(
                account.cloudformation,
                change_set,
                on_event=on_event,
                pause=account.pause,
                sleep=wait.sleep,
            )
        except Exception as error:  # noqa: BLE001 - raised below, after the other stacks are done
            return error
        return None

    outcomes = side_by_side(
        execute_one, prepared, parallel=_STACKS_AT_ONCE, on_interrupt=wait.interrupt
    )
    _raise_any([error for error in outcomes if error is not None], of=len(prepared))
    return [change_set.stack for change_set in prepared]


class _Interrupted(Exception):
    """The user has interrupted the command while another thread waits for a stack."""


class _Wait:
    """Sleeps of several threads that Ctrl-C ends."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def sleep(self, seconds: float) -> None:
        if self._interrupted.wait(seconds):
            raise _Interrupted

    def interrupt(self) -> None:
        self._interrupted.set()


def _ask(
    account: Account, prepared: Sequence[ChangeSet], approve: Callable[[Sequence[ChangeSet]], bool]
) -> None:
    """Discard the change sets if the answer is no or the user interrupts."""
    approved = False
    try:
        approved = approve(prepared)
    finally:
        if not approved:
            for change_set in prepared:
                discard(account.cloudformation, change_set)
    if not approved:
        raise Declined("nothing was changed")


def _prepare(account: Account, stacks: Sequence[Stack], wait: _Wait) -> list[ChangeSet]:
    """The change sets of the stacks that change; if one fails, or on Ctrl-C, all are discarded."""
    prepared: list[ChangeSet] = []

    def prepare_one(stack: Stack) -> ChangeSet | Exception | None:
        try:
            change_set = prepare(
                account.cloudformation, stack, pause=account.pause, sleep=wait.sleep
            )
        except Exception as error:  # noqa: BLE001 - raised below, after the others are discarded
            return error
        if change_set is not None:
            prepared.append(change_set)
        return change_set

    try:
        outcomes = side_by_side(
            prepare_one, stacks, parallel=_STACKS_AT_ONCE, on_interrupt=wait.interrupt
        )
        _raise_any([one for one in outcomes if isinstance(one, Exception)], of=len(stacks))
    except BaseException:
        for change_set in prepared:
            # The first error is the one to report.
            with suppress(Exception):
                discard(account.cloudformation, change_set)
        raise
    return [outcome for outcome in outcomes if isinstance(outcome, ChangeSet)]


def _raise_any(failures: Sequence[Exception], *, of: int) -> None:
    """Raise what failed: all refused stacks as one error, or the first error of AWS."""
    for failure in failures:
        if not isinstance(failure, DeployFailed):
            raise failure
    if len(failures) > 1:
        raise DeployFailed(
            f"{len(failures)} of {of} stacks could not be deployed",
            hint="\n".join(map(str, failures)),
        )
    if failures:
        raise failures[0]
