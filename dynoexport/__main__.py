"""The command's process: ``dynoexport``, and ``python -m dynoexport``."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

# Seconds; a destructor has ended by then.
_SOON = 0.05
# Python searches 700 new objects at a time for unused ones. A start makes far more, and all of them
# stay: without most searches, `dynoexport templates` takes 235 ms instead of 249. All objects are
# searched about as often as before.
# https://docs.python.org/3/library/gc.html#gc.set_threshold
_SEARCHES = (10_000, 3, 3)


def run() -> None:
    """Run the command. A signal ends it without a traceback, even while it starts."""
    gc.set_threshold(*_SEARCHES)
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if listens:
        # Nothing could catch a KeyboardInterrupt while modules are loaded.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _open_standard_streams()
    from dynoexport.cli import main

    sys.unraisablehook = _end_soon
    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main(prog_name="dynoexport")
    finally:
        # At its end Python would search all objects for unused ones once more: a tenth of a second
        # after a call of AWS, seconds after the emulator.
        gc.freeze()


def _open_standard_streams() -> None:
    """Put the null device where the shell has closed stdin, stdout or stderr.

    Python leaves None there, and the first file that is opened would get the descriptor.
    """
    # In the order of their descriptors: open() takes the lowest free one.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115


def _end_soon(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again if its exception arrived in a destructor, where Python ignores it.

    https://docs.python.org/3/library/sys.html#sys.unraisablehook
    """
    number = _signal_number(lost.exc_value)
    if number is None:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(_SOON, os.kill, [os.getpid(), number])
    again.daemon = True
    again.start()


def _signal_number(error: BaseException | None) -> int | None:
    """The signal that raised this exception; see ``cli.common.unwind_on_signals``."""
    if isinstance(error, KeyboardInterrupt):
        return signal.SIGINT
    if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:  # noqa: PLR2004
        return error.code - 128
    return None


if __name__ == "__main__":
    run()
