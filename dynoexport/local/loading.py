"""Import the emulator in half the time, and without the user's configuration."""

from __future__ import annotations

import functools
import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from dynoexport.local import context

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quickly() -> Iterator[None]:
    """Import ``dynoexport.local.server`` inside this block, before other threads start.

    Modules and moto's tables stay until the process ends, so the search for unused objects, a
    fifth of the time, finds none of them, neither now nor later.

    moto asks three new sessions for the regions of EC2 while it is imported, and each parses the
    whole model of EC2:
    https://github.com/getmoto/moto/blob/5.1.0/moto/ec2/models/availability_zones_and_regions.py

    A session takes profile and files from the environment, which is why this process gives up its
    own: they are settings for AWS.
    """
    import boto3

    for name in context.MISLEADING:
        os.environ.pop(name, None)
    os.environ.update(context.NO_FILES)
    searches = gc.isenabled()
    gc.disable()
    try:
        with mock.patch.object(boto3, "Session", functools.lru_cache(boto3.Session)):
            yield
    finally:
        gc.freeze()
        if searches:
            gc.enable()
